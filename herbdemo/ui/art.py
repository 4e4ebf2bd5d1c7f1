"""The drawings of the page, as inline SVG in the colours of the style sheet."""

import math


def _leaf(x: float, y: float, angle: float, length: float, width: float) -> str:
    """One leaf from its stalk at (x, y), pointing to `angle` degrees, with a midrib and veins."""
    veins = "".join(
        f"M{at * length:.1f} 0q{length * 0.07:.1f} {side * width * 0.12:.1f} "
        f"{length * 0.15:.1f} {side * width * 0.3 * math.sin(math.pi * (at + 0.1)):.1f}"
        for at in (0.2, 0.36, 0.52, 0.68)
        for side in (-1, 1)
    )
    half = width / 2
    outline = (
        f"M0 0C{length * 0.2:.1f} {-half:.1f} {length * 0.65:.1f} {-half * 1.1:.1f} {length} 0"
        f"C{length * 0.65:.1f} {half * 1.1:.1f} {length * 0.2:.1f} {half:.1f} 0 0Z"
    )
    return (
        f'<g transform="translate({x} {y}) rotate({angle})"><path class="leaf" d="{outline}"/>'
        f'<path class="vein" d="M0 0H{length * 0.94:.1f}{veins}"/></g>'
    )


def _flower(x: float, y: float, angle: float) -> str:
    """A honeysuckle flower: a slender tube, two lips rolled back, stamens that reach out."""
    return (
        f'<g transform="translate({x} {y}) rotate({angle})">'
        '<path class="stamen" d="M40-3c10-4 18-10 24-18M41-2c11-2 20-5 28-10M41-1c11 1 20 1 28-2"/>'
        '<path class="petal" d="M0 0c13-4 25-5 34-8 5-7 11-12 20-11 4 1 5 5 2 7-5-2-9 1-12 6 7 1 '
        '14 5 17 12 1 4-3 6-6 4-3-5-9-8-17-8C28 4 14 4 0 0Z"/></g>'
    )


_SPRIG = (
    '<path class="stem" d="M14 216C60 194 88 172 116 142s56-56 128-92"/>'
    + _leaf(54, 195, -118, 62, 34)
    + _leaf(58, 193, 12, 66, 34)
    + _leaf(108, 150, -142, 70, 36)
    + _leaf(114, 144, 18, 70, 38)
    + _leaf(164, 97, -158, 58, 30)
    + _leaf(170, 92, 34, 60, 30)
    + _leaf(242, 51, -20, 42, 20)
    + _flower(186, 82, -98)
    + _flower(190, 79, -34)
    + _flower(192, 78, 12)
)

HERBARIUM = (
    '<svg class="herbarium" viewBox="0 0 330 230" aria-hidden="true">'
    f'{_SPRIG}<circle class="glass" cx="214" cy="66" r="58"/><g clip-path="url(#herbarium-lens)">'
    '<circle cx="228" cy="58" r="52" fill="url(#herbarium-glow)"/>'
    f'<g transform="translate(214 66) scale(1.35) translate(-213 -69)">{_SPRIG}</g></g>'
    '<circle class="rim" cx="214" cy="66" r="58"/><path class="handle" d="m257 109 40 40"/></svg>'
)

# For every herbarium, in the one drawing that is always in sight: a hidden one lends nothing.
_SHARED = (
    '<defs><radialGradient id="herbarium-glow">'
    '<stop offset="0" stop-color="#f7cf5e" stop-opacity=".8"/>'
    '<stop offset=".5" stop-color="#e8663c" stop-opacity=".5"/>'
    '<stop offset="1" stop-color="#a0206b" stop-opacity="0"/></radialGradient>'
    '<clipPath id="herbarium-lens"><circle cx="214" cy="66" r="58"/></clipPath></defs>'
)

LOGO = (
    '<svg class="logo" viewBox="0 0 48 48" width="48" height="48" aria-hidden="true">'
    f"{_SHARED}"
    '<rect class="stamp" x="2" y="2" width="44" height="44" rx="9"/>'
    '<g fill="none" stroke="#fffaf0" stroke-width="2.6" stroke-linecap="round">'
    '<circle cx="22" cy="21" r="11.5"/><path d="m30.5 29.5 7.5 7.5"/></g>'
    '<path d="M16 27c0-8 4-11.5 12-12-.3 8-4 12-12 12Z" fill="#fffaf0"/>'
    '<path d="m15 28 8-8" stroke="#ab3a29" stroke-width="1.4" stroke-linecap="round"/></svg>'
)


def _icon(path: str) -> str:
    return (
        '<svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">'
        f'<path d="{path}" fill="none" stroke="currentColor" stroke-width="1.8" '
        'stroke-linecap="round" stroke-linejoin="round"/></svg>'
    )


ICONS = {
    "photo": _icon("M4 5h16v14H4zM4 16l5-5 4 4 2.5-2.500L20 17M15.5 9h.01"),
    "camera": _icon(
        "M4 8h3.500L9 5.500h6L16.5 8H20v11H4zM12 10a3.3 3.3 0 1 0 0 6.6 3.3 3.3 0 0 0 0-6.600Z"
    ),
    "paste": _icon("M9 4h6v3H9zM9 5.500H6V20h12V5.500h-3M9 12h6M9 16h4"),
    "zip": _icon("M6 3h8l4 4v14H6zM14 3v4h4M11 8v2M11 12v2M10 17h2v2h-2z"),
    "shade": _icon("M12 4v16a8 8 0 0 0 0-16ZM12 4a8 8 0 1 0 0 16"),
}

FAVICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 48 48'%3E%3Crect "
    "width='48' height='48' rx='10' fill='%23ab3a29'/%3E%3Cg fill='none' stroke='%23fffaf0' "
    "stroke-width='3' stroke-linecap='round'%3E%3Ccircle cx='22' cy='21' r='11.5'/%3E%3Cpath "
    "d='m30.5 29.5 7.5 7.5'/%3E%3C/g%3E%3Cpath d='M16 27c0-8 4-11.5 12-12-.3 8-4 12-12 12Z' "
    "fill='%23fffaf0'/%3E%3C/svg%3E"
)
