// Language and darkness, set before anything is drawn and remembered in this browser.
(() => {
  const root = document.documentElement;
  const recall = (key) => { try { return localStorage.getItem(`herb-${key}`); } catch { return null; } };
  const remember = (key, value) => { try { localStorage.setItem(`herb-${key}`, value); } catch { /* private mode */ } };

  // Language: our own texts carry Chinese and English (text.py) and the style sheet shows one;
  // attributes carry data-zh-* and data-en-*; the labels of Gradio's components are swapped by the
  // dictionary. Traditional characters are made of the simplified ones, here, by traditional.csv:
  // in whatever is marked as Chinese by `lang`, or by `data-han` where other languages stand in it.
  const LANGUAGES = { zh: "zh-CN", hant: "zh-Hant", en: "en" };
  const HAN = '[lang="zh-CN"]:not([translate="no"])';
  const MARKED = "[data-han], #tray-picture .legend"; // the legend is Gradio's
  const LEFT = '[translate="no"], script, style, textarea, [contenteditable]';
  const ATTRIBUTES = ["alt", "title", "aria-label", "placeholder", "label"];
  const [[simplified, characters], phrases] = TRADITIONAL;
  const table = new Map([...Object.entries(phrases), ...[...simplified].map((c, at) => [c, [...characters][at]])]);
  const known = new RegExp(`${Object.keys(phrases).join("|")}|[${simplified}]`, "g");
  const traditional = (text) => text.replace(known, (found) => table.get(found));
  const words = new Map(); // of Gradio, by what they are in any language
  for (const [zh, en] of Object.entries(DICTIONARY)) {
    const word = { zh, en, hant: traditional(zh) };
    for (const said of Object.values(word)) words.set(said, word);
  }
  function first() {
    if (!/^zh\b/i.test(navigator.language)) return "en";
    return /hant|tw|hk|mo/i.test(navigator.language) ? "hant" : "zh";
  }
  let language = recall("language");
  if (!Object.hasOwn(LANGUAGES, language)) language = first();

  const written = new WeakMap(); // a text as it was sent, and as it stands there
  function rewrite(node) {
    const [sent, stands] = written.get(node) ?? [];
    const said = node.data === stands ? sent : node.data;
    const wanted = language === "hant" ? traditional(said) : said;
    if (wanted === node.data) return;
    written.set(node, [said, wanted]);
    node.data = wanted;
  }
  function translateText(node) {
    const parent = node.parentElement;
    if (!parent || parent.closest(LEFT)) return;
    const around = parent.closest(`[lang], ${MARKED}`);
    if (around.matches(MARKED)) return rewrite(node);
    if (around !== root) return;
    const text = node.data.trim(), twin = words.get(text)?.[language];
    if (twin && twin !== text) node.data = node.data.replace(text, twin);
  }
  function all(node, selector) {
    return [...(node.matches(selector) ? [node] : []), ...node.querySelectorAll(selector)];
  }
  function translate(node) {
    if (node.nodeType === Node.TEXT_NODE) return translateText(node);
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    if (language === "hant") for (const one of all(node, HAN)) one.dataset.han = "";
    for (const one of all(node, "[data-han][lang]")) one.lang = LANGUAGES[language === "hant" ? "hant" : "zh"];
    const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) translateText(texts.currentNode);
    for (const name of ATTRIBUTES) {
      for (const element of all(node, `[data-en-${name}]`)) translateAttribute(element, name);
    }
  }
  function translateAttribute(element, name) {
    const said = element.getAttribute(`data-${language === "en" ? "en" : "zh"}-${name}`);
    const wanted = said !== null && language === "hant" ? traditional(said) : said;
    if (wanted !== null && wanted !== element.getAttribute(name)) element.setAttribute(name, wanted);
  }
  function speak(wanted) {
    language = wanted;
    root.dataset.lang = wanted === "en" ? "en" : "zh"; // which of the two that were sent is shown
    root.lang = LANGUAGES[wanted];
    if (!document.body) return;
    for (const button of document.querySelectorAll("[data-speak]")) pressed(button);
    translate(document.body);
  }
  function pressed(button) { button.setAttribute("aria-pressed", button.dataset.speak === language); }

  // Darkness: Gradio's themes look for the class `dark` on the body.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const shade = () => {
    const wanted = recall("shade") ?? (dark.matches ? "dark" : "light");
    document.body?.classList.toggle("dark", wanted === "dark");
    root.style.colorScheme = wanted;
    root.dataset.shade = wanted;
  };
  dark.addEventListener("change", shade);

  function begin() {
    shade();
    speak(language);
    new MutationObserver((changes) => {
      for (const { type, target, addedNodes, attributeName } of changes) {
        if (type === "characterData") translateText(target);
        else if (type === "attributes") translateAttribute(target, attributeName); // Gradio patches what stands
        else addedNodes.forEach((node) => {
          translate(node);
          node.querySelectorAll?.("[data-speak]").forEach(pressed);
        });
      }
    }).observe(document.body, { subtree: true, childList: true, characterData: true, attributeFilter: ATTRIBUTES });
    new MutationObserver(() => {
      if (document.body.classList.contains("dark") !== (root.dataset.shade === "dark")) shade();
    }).observe(document.body, { attributeFilter: ["class"] });
  }
  // What happened, in a sentence for whoever hears the page: the region stands there from the start,
  // as what comes along with its region is not read out by all. Said anew, it is read anew.
  document.addEventListener("herb:say", ({ detail: html }) => {
    const region = document.querySelector("#said");
    if (!region) return;
    region.textContent = "";
    setTimeout(() => { region.innerHTML = html; }, 100);
  });
  // Arrow keys in a row of tabs, as the pattern of WAI-ARIA has it; Gradio knows Tab and Enter.
  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest?.('[role="tab"]');
    if (!tab || event.altKey || event.ctrlKey || event.metaKey) return;
    const row = [...tab.parentElement.querySelectorAll('[role="tab"]')], at = row.indexOf(tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + row.length, Home: 0, End: row.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    row[to % row.length].focus();
    row[to % row.length].click();
  });

  // From anywhere to another tab, which hears what is wanted there. Gradio builds a tab when it is
  // first opened, so those who shall hear may have to come first.
  const tabs = "#pages > .tab-wrapper ";
  const open = async (name) => (await there(() => document.querySelector(`${tabs}[data-tab-id="${name}"]`)))?.click();
  async function goTo(detail) {
    const hearers = `[data-hears="${detail.goto}"], [data-takes="${detail.goto}"]`;
    const listens = (hearer) => "hearing" in hearer.dataset;
    await open(detail.goto);
    await there(() => {
      const all = [...document.querySelectorAll(hearers)];
      return all.length && all.every(listens);
    });
    document.dispatchEvent(new CustomEvent("herb:goto", { detail }));
    scrollTo({ top: 0 });
  }
  async function there(look) {
    for (let tries = 200; tries; tries--) { // ten seconds
      const found = look();
      if (found) return found;
      await new Promise((wake) => setTimeout(wake, 50));
    }
  }
  // Past the head and the tabs, to the page that is open
  function skip() {
    const page = [...document.querySelectorAll('#pages > [role="tabpanel"]')].find((one) => one.offsetParent);
    page.tabIndex = -1;
    page.focus();
  }
  // The browser's way back leads to the tab that people were sent from.
  function leave(detail) {
    history.replaceState({ tab: document.querySelector(`${tabs}[aria-selected="true"]`)?.dataset.tabId }, "");
    history.pushState({ tab: detail.goto }, "");
    goTo(detail);
  }
  addEventListener("popstate", ({ state }) => { if (state?.tab) open(state.tab); });
  // The page of a herb has an address: …/#herb=金银花
  function follow() {
    const herb = new URLSearchParams(location.hash.slice(1)).get("herb");
    if (herb) goTo({ goto: "herbs", herb });
    else document.querySelector("#herb-page [data-dismiss]")?.click();
  }
  addEventListener("hashchange", follow);
  follow();
  speak(language);
  if (document.body) begin(); // Gradio adds this script when the page already stands
  else document.addEventListener("DOMContentLoaded", begin);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-speak], [data-shade-switch], [data-open-api], [data-goto], [data-skip]");
    if (!button) return;
    if ("skip" in button.dataset) skip();
    else if ("goto" in button.dataset) leave({ ...button.dataset });
    else if ("openApi" in button.dataset) document.querySelector("footer .show-api")?.click();
    else if (button.dataset.speak) {
      remember("language", button.dataset.speak);
      speak(button.dataset.speak);
    } else {
      remember("shade", root.dataset.shade === "dark" ? "light" : "dark");
      shade();
    }
  });
})();
