"""The look of Gradio's own components: warm paper, ink, herb green and a cinnabar seal.

`page.css` holds the look of what is ours and the same colours as custom properties.
No font is fetched: each list names what systems have, Chinese faces included.
"""

from gradio.themes import Base, Color, Size

SANS = (
    "-apple-system", "BlinkMacSystemFont", "Segoe UI", "Roboto", "Helvetica Neue", "Noto Sans",
    "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC",
    "sans-serif",
)  # fmt: skip
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Liberation Mono", "monospace")

HERB = Color(
    name="herb",
    c50="#f1f6f0", c100="#e1ecdf", c200="#c3d9c1", c300="#9cc09d", c400="#6fa175", c500="#4b8557",
    c600="#2f6b45", c700="#275a3b", c800="#214931", c900="#1b3b29", c950="#0f2418",
)  # fmt: skip
CINNABAR = Color(
    name="cinnabar",
    c50="#fdf3f0", c100="#fae3dd", c200="#f3c4b9", c300="#e99e8d", c400="#db725d", c500="#c74d39",
    c600="#ab3a29", c700="#8e2f22", c800="#75291f", c900="#61261e", c950="#34100b",
)  # fmt: skip
PAPER = Color(
    name="paper",
    c50="#fffdf8", c100="#f7f2e7", c200="#ebe4d4", c300="#d8cfba", c400="#ada58f", c500="#7c7766",
    c600="#5d5b4e", c700="#434439", c800="#262b25", c900="#1b201b", c950="#121612",
)  # fmt: skip


def theme() -> Base:
    """The theme for `launch`."""
    radius = Size(
        name="herb", xxs="3px", xs="4px", sm="6px", md="10px", lg="14px", xl="18px", xxl="24px"
    )
    base = Base(
        primary_hue=HERB,
        secondary_hue=CINNABAR,
        neutral_hue=PAPER,
        radius_size=radius,
        font=SANS,
        font_mono=MONO,
    )
    return base.set(
        body_background_fill="*neutral_100",
        body_background_fill_dark="*neutral_950",
        body_text_color="#232a24",
        body_text_color_dark="#ece7d9",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        background_fill_primary="*neutral_50",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_800",
        border_color_primary="*neutral_200",
        border_color_primary_dark="#343a33",
        block_background_fill="*neutral_50",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_shadow="none",
        block_radius="*radius_lg",
        block_label_background_fill="transparent",
        block_label_border_width="0",
        block_label_text_color="*body_text_color_subdued",
        block_title_text_color="*body_text_color",
        input_background_fill="*neutral_50",
        input_background_fill_dark="*neutral_800",
        input_border_width="1px",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_500",
        button_primary_text_color="*neutral_50",
        button_secondary_background_fill="*neutral_50",
        button_secondary_background_fill_hover="*neutral_200",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_border_color="*neutral_300",
        button_border_width="1px",
        button_large_radius="*radius_xl",
        button_small_radius="*radius_lg",
        color_accent="*primary_600",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
    )
