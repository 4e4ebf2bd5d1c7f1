"""The whole page: head, tabs, foot, and how it is launched."""

import json
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from herbdemo.colormaps import COLORMAPS
from herbdemo.heap import reuse_memory
from herbdemo.photo import MAX_BYTES
from herbdemo.traditional import table
from herbdemo.ui import (
    agents,
    api,
    batch,
    desk,
    explain,
    gate,
    herbs_tab,
    identify,
    learn,
    models,
    names,
    sandbox,
    sessions,
    texts,
    texts_batch,
    texts_explain,
    texts_herbs,
    texts_learn,
    upkeep,
    uploads,
    whole,
)
from herbdemo.ui.art import FAVICON, ICONS, LOGO
from herbdemo.ui.door import Door
from herbdemo.ui.model import place, wake
from herbdemo.ui.photo_input import HERE
from herbdemo.ui.pictures import tables
from herbdemo.ui.small import SmallPage
from herbdemo.ui.theme import theme

HOUR = 3600
TABS = 1000  # whose values Gradio keeps; the page gives it none to keep, and a tab costs 5 kB
STYLES = (
    "page.css",
    "learn.css",
    "explain.css",
    "herbs.css",
    "batch.css",
    "many.css",
    "share.css",
)
QUEUE_LENGTH = 64  # photos that may wait; whoever comes later is told to try again
PAGES = (
    (texts.TAB_IDENTIFY, identify.build),
    (texts_explain.TAB, explain.build),
    (texts_batch.TAB_BATCH, batch.build),
    (texts_herbs.TAB_HERBS, herbs_tab.build),
    (texts_learn.TAB_LEARN, learn.build),
    (texts_learn.TAB_MODELS, models.build),
)


def build() -> gr.Blocks:
    """The app, not launched."""
    sessions.install()  # before Gradio makes its queue
    with gr.Blocks(
        title=f"{texts.NAME.zh} {texts.NAME.en}",
        analytics_enabled=False,
        delete_cache=(HOUR, HOUR),
        fill_width=True,
    ) as demo:
        gr.HTML(_masthead(), apply_default_css=False, elem_id="masthead")
        with gr.Tabs(elem_id="pages", elem_classes="alone" if len(PAGES) == 1 else ""):
            for name, layout in PAGES:
                with gr.Tab(name.zh, id=name.en.lower(), elem_id=f"page-{name.en.lower()}"):
                    gr.HTML(f'<h2 class="unseen">{name.html}</h2>', apply_default_css=False)
                    layout()
        names.build()
        gr.HTML(_foot(), apply_default_css=False, elem_id="foot")
        api.build()
        demo.unload(_forget)
    gate.watch(demo)
    return demo.queue(max_size=QUEUE_LENGTH)


def _forget(request: gr.Request) -> None:
    """The tab was closed or loaded anew: what its visitor tried goes with it."""
    sandbox.drop(str(request.session_hash))
    explain.stop_slow(str(request.session_hash))


def serve(
    demo: gr.Blocks,
    *,
    host: str | None = None,
    port: int | None = None,
    share: bool | None = None,
) -> None:
    """Serve the app until it is interrupted.

    The page comes first: all else, such as loading the model, begins once it is there. Begun
    earlier, beside the imports, it made both later on two cores, as Python runs one thread at a
    time.

    Args:
        host, port: where to listen; GRADIO_SERVER_NAME and GRADIO_SERVER_PORT by default.
        share: make a public link, through Gradio; None does where Gradio thinks it is needed.
    """
    reuse_memory()
    agents.install()
    place()
    uploads.make_folder()
    whole.install()
    demo.launch(
        server_name=host,
        server_port=port,
        share=share,
        prevent_thread_lock=True,
        **launch_options(),
    )
    wake()
    end_upkeep = upkeep.keep_clean()
    desk.jobs().end_with_this_process()
    try:
        demo.block_thread()
    finally:
        end_upkeep()
        demo.close(verbose=False)  # which deletes uploads for five seconds, and then gives up
        uploads.empty(demo)


def launch_options() -> dict[str, Any]:
    """What `launch` must be given for the page to look and behave as it should."""
    return {
        "theme": theme(),
        "css": _css(),
        "head": _head(),
        "footer_links": ["api"],  # out of sight; the link in our own foot opens it
        "max_file_size": MAX_BYTES,
        "show_error": False,  # an error's text may hold a path
        "run_history": False,
        "state_session_capacity": TABS,
        "enable_monitoring": False,
        "pwa": False,
        "ssr_mode": False,
        "ssl_verify": False,  # of its first call to itself; reading certificates takes 0.2 s
        "app_kwargs": {"middleware": [Middleware(Door), Middleware(SmallPage)]},
        "mcp_server": True,  # what `api` offers, for agents
    }


def _css() -> str:
    """The style sheet, with the scales of the two colour maps under their names."""
    css = "\n".join((HERE / name).read_text(encoding="utf-8") for name in STYLES)
    for word, name in (("EMBER", "ember"), ("DUEL", "contrast"), ("DUSK", "dusk")):
        stops = (f"rgb({r} {g} {b})" for r, g, b in COLORMAPS[name][::15])
        css = css.replace(word, ", ".join(stops))
    return css


def _head() -> str:
    script = (HERE / "page.js").read_text(encoding="utf-8")
    words = json.dumps(texts.dictionary(), ensure_ascii=False).replace("</", "<\\/")
    script = script.replace("DICTIONARY", words).replace("TRADITIONAL", _traditional())
    maps = (HERE / "maps.js").read_text(encoding="utf-8")
    return (
        f'<link rel="icon" href="{FAVICON}">'
        f'<meta name="color-scheme" content="light dark">'
        f"<script>{script}</script>"
        f"<script>{maps.replace('TABLES', json.dumps(tables()))}</script>"
    )


def _traditional() -> str:
    """The table of traditional characters for `page.js`: characters as two strings, phrases."""
    single = {zh: to for zh, to in table().items() if len(zh) == 1}
    phrases = {zh: to for zh, to in table().items() if len(zh) > 1}
    return json.dumps([["".join(single), "".join(single.values())], phrases], ensure_ascii=False)


def _masthead() -> str:
    zh, en = texts.NAME
    return (
        f'<button type="button" class="skip" data-skip>{texts.SKIP.html}</button>'
        '<div class="unseen" id="said" role="status" aria-live="polite"></div>'
        f'<header class="masthead"><div class="brand">{LOGO}<div><h1>'
        f'<span class="name-zh" lang="zh-CN">{zh}</span>'
        f'<span class="name-en" lang="en">{en}</span></h1><p>{texts.MOTTO.html}</p></div></div>'
        f'<div class="switches"><div class="speak" role="group" '
        f"{texts.LANGUAGE.attribute('aria-label')}>"
        '<button type="button" data-speak="zh" lang="zh-CN" translate="no">简体</button>'
        '<button type="button" data-speak="hant" lang="zh-Hant" translate="no">繁體</button>'
        '<button type="button" data-speak="en" lang="en">English</button></div>'
        f'<button type="button" class="shade" data-shade-switch '
        f"{texts.DARKNESS.attribute('aria-label')}>{ICONS['shade']}</button></div></header>"
    )


def _foot() -> str:
    return (
        f'<footer class="foot"><p>{texts.FOOT.html}</p>'
        f'<p><button type="button" data-open-api>{texts.FOOT_API.html}</button></p></footer>'
    )
