"""Draw the method as docs/pictures/method.svg; run by `python docs/pictures/method.py`.

Plain SVG without a library. The card has a background of its own and turns dark with the reader's
colour scheme, so that it can be read on any page.
"""
from pathlib import Path
from random import Random

WIDTH, HEIGHT = 1000, 560
COLUMNS = (330, 470, 610, 750)  # the last K + 1 layers of the trunk, K = 3 drawn
TRUNK_Y, GATE_Y, BRANCH_Y = 96, 206, 266
BOX = (104, 60)
GRID, CELL, HIDDEN = 4, 13, 11  # patches a side, their pixels, how many of 16 are masked

STYLE = """
.card { fill: #ffffff; stroke: #d0d7de; } .ink { fill: #1f2933; } .soft { fill: #57606a; }
.line { stroke: #57606a; stroke-width: 1.6; fill: none; } .tip { fill: #57606a; }
.trunk { fill: #dbeafe; stroke: #2563ab; } .branch { fill: #ffe3c2; stroke: #c25e00; }
.gate { fill: #fff6d6; stroke: #a07800; } .loss { fill: #e6f4e6; stroke: #2c7a3f; }
.text { fill: #ece8f8; stroke: #6650a4; } .hidden { fill: #8c959f; stroke: #ffffff; }
@media (prefers-color-scheme: dark) {
  .card { fill: #161b22; stroke: #444c56; } .ink { fill: #e6edf3; } .soft { fill: #9aa5b1; }
  .line { stroke: #9aa5b1; } .tip { fill: #9aa5b1; } .hidden { fill: #545d68; stroke: #161b22; }
  .trunk { fill: #14304f; stroke: #6cb0ff; } .branch { fill: #4a2a08; stroke: #ffa657; }
  .gate { fill: #453a10; stroke: #e3b341; } .loss { fill: #16361f; stroke: #57ab5a; }
  .text { fill: #2e2650; stroke: #b39df0; }
}
"""


def text(x, y, words, size=13, kind='ink', anchor='middle', weight=400):
    """A line of text; ``_`` before a character lowers it and ``^`` raises it."""
    parts, shift = [], 0
    for piece in words.replace('_', '\0_').replace('^', '\0^').split('\0'):
        if piece[:1] in ('_', '^'):
            step = 4 if piece[0] == '_' else -5
            parts.append(f'<tspan dy="{step}" font-size="{size - 3}">{piece[1]}</tspan>')
            if piece[2:]:
                parts.append(f'<tspan dy="{-step}">{piece[2:]}</tspan>')
            else:
                shift = -step
        else:
            parts.append(f'<tspan dy="{shift}">{piece}</tspan>' if shift else piece)
            shift = 0
    return (f'<text x="{x}" y="{y}" class="{kind}" font-size="{size}" font-weight="{weight}" '
            f'text-anchor="{anchor}">{"".join(parts)}</text>')


def box(x, y, kind, *lines, size=BOX):
    """A box around its middle with a line or more in it, the first one bold."""
    width, height = size
    first = y + 5 - 9 * (len(lines) - 1)
    return ''.join([
        f'<rect x="{x - width / 2}" y="{y - height / 2}" width="{width}" height="{height}" rx="8" '
        f'class="{kind}" stroke-width="1.6"/>',
        *(text(x, first + 18 * row, line, 13 if row == 0 else 12, weight=600 if row == 0 else 400)
          for row, line in enumerate(lines))])


def arrow(*points):
    """A line through points, with a tip at the last."""
    (x0, y0), (x1, y1) = points[-2:]
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    back, side = (x1 - 9 * dx, y1 - 9 * dy), (-4.5 * dy, 4.5 * dx)
    path = ' '.join(f'{x:g},{y:g}' for x, y in [*points[:-1], back])
    tip = ' '.join(f'{x:.1f},{y:.1f}' for x, y in [
        (x1, y1), (back[0] + side[0], back[1] + side[1]), (back[0] - side[0], back[1] - side[1])])
    return f'<polyline points="{path}" class="line"/><polygon points="{tip}" class="tip"/>'


def frames(x, y, hidden=()):
    """Three frames of a clip behind one another, the same patches of each hidden."""
    drawn = []
    for shift in (20, 10, 0):
        for patch in range(GRID * GRID):
            row, column = divmod(patch, GRID)
            kind = 'hidden' if patch in hidden else 'trunk'
            drawn.append(f'<rect x="{x + shift + CELL * column}" y="{y - shift + CELL * row}" '
                         f'width="{CELL}" height="{CELL}" class="{kind}" stroke-width="0.8"/>')
    return ''.join(drawn)


def gate(x, y):
    """A gate around its middle."""
    return (f'<circle cx="{x}" cy="{y}" r="17" class="gate" stroke-width="1.6"/>'
            + text(x, y + 5, 'σ', 15, weight=600))


def trunk():
    """The frozen trunk, frame by frame."""
    first, *rest = COLUMNS
    names = ('V(L-3)', 'V(L-2)', 'V(L-1)', 'V(L)')
    return ''.join([
        text(40, 34, 'Trunk: CLIP, frozen, each frame by itself', 14, anchor='start', weight=600),
        frames(48, 76), text(84, 152, 'T frames', 12, 'soft'),
        arrow((130, TRUNK_Y), (156, TRUNK_Y)),
        box(210, TRUNK_Y, 'trunk', 'layers', 'Eq. 1'),
        *(box(x, TRUNK_Y, 'trunk', name, 'Eq. 1') for x, name in zip(COLUMNS, names)),
        arrow((262, TRUNK_Y), (first - 52, TRUNK_Y)),
        *(arrow((x - 88, TRUNK_Y), (x - 52, TRUNK_Y)) for x in rest)])


def branch():
    """The trained branch beside it, and the gates in between."""
    first, *rest = COLUMNS
    hidden = Random(3).sample(range(GRID * GRID), HIDDEN)
    return ''.join([
        text(40, 214, 'Branch: trained, sees a whole clip', 14, anchor='start', weight=600),
        frames(48, 262, hidden), text(48, 340, 'a tube mask, in training', 12, 'soft', 'start'),
        arrow((128, BRANCH_Y), (first - 52, BRANCH_Y)),
        text(202, BRANCH_Y - 8, '+ P_t + P_s + CLS, Eq. 3', 12, 'soft'),
        arrow((first, TRUNK_Y + 30), (first, BRANCH_Y - 34)),
        *(box(x, BRANCH_Y, 'branch', f'layer {number}', 'time, Eq. 2', 'space, Eq. 1',
              size=(104, 68)) for number, x in enumerate(COLUMNS[:-1], 1)),
        *(arrow((x, TRUNK_Y + 30), (x, GATE_Y - 17)) for x in rest),
        *(arrow((x - 88, BRANCH_Y), (x - 70, BRANCH_Y), (x - 70, GATE_Y), (x - 17, GATE_Y))
          for x in rest),
        *(arrow((x, GATE_Y + 17), (x, BRANCH_Y - 34)) for x in rest[:-1]),
        *(gate(x, GATE_Y) for x in rest),
        text(rest[0] + 24, GATE_Y - 14, 'Eq. 4', 12, 'soft', 'start'),
        text(rest[1] + 24, GATE_Y - 14, 'Eq. 4', 12, 'soft', 'start'),
        text(rest[2] + 24, GATE_Y - 14, 'Eq. 5', 12, 'soft', 'start')])


def output():
    """The embedding, the text and what the branch is trained by."""
    last, bottom = COLUMNS[-1], 462
    return ''.join([
        box(880, GATE_Y, 'trunk', 'LN, proj', 'frozen', size=(92, 52)),
        arrow((last + 17, GATE_Y), (834, GATE_Y)),
        arrow((880, GATE_Y + 26), (880, 306)),
        text(880, 324, 'video', 14, weight=600), text(880, 342, '(B, E)', 12, 'soft'),
        arrow((880, 350), (880, bottom - 30)),
        box(880, bottom, 'loss', 'VTC', 'Eq. 6', size=(92, 56)),
        # the patch tokens of the last branch layer
        arrow((610, BRANCH_Y + 34), (610, bottom - 28)),
        text(618, 384, 'patch tokens', 12, 'soft', 'start'),
        box(610, bottom, 'loss', 'MBCA', 'Eq. 8', size=(92, 56)),
        arrow((610, 404), (470, 404), (470, bottom - 28)),
        box(470, bottom, 'loss', 'MBTA', 'Eq. 7', size=(92, 56)),
        text(462, 424, 'as V(L) has them', 12, 'soft', 'end'),
        box(745, bottom, 'text', 'text tower', 'frozen', size=(104, 56)),
        arrow((797, bottom), (834, bottom)), arrow((693, bottom), (656, bottom)),
        text(745, 520, '“a red cross moves left”', 13),
        arrow((745, 507), (745, bottom + 28)),
        text(40, 420, 'A gate: σ(W_b) · branch + (1 - σ(W_b)) · trunk', 13, anchor='start'),
        text(40, 446, 'W_b starts at zero: half and half. So does W_t', 12, 'soft', 'start'),
        text(40, 464, 'of Eq. 2: the branch starts as copies of the', 12, 'soft', 'start'),
        text(40, 482, 'trunk’s last layers, without a sense of time.', 12, 'soft', 'start'),
        text(40, 510, 'Orange is trained, blue and violet are frozen,', 12, 'soft', 'start'),
        text(40, 528, 'green are the objectives. Drawn with K = 3.', 12, 'soft', 'start')])


def draw():
    """The picture as SVG."""
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            'font-family="-apple-system, Segoe UI, Helvetica, Arial, sans-serif">\n'
            '<title>BT-Adapter: a trained branch beside a frozen CLIP</title>\n'
            f'<style>{STYLE}</style>\n'
            f'<rect x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" rx="14" class="card"/>\n'
            + '\n'.join([trunk(), branch(), output()]) + '\n</svg>\n')


if __name__ == '__main__':
    Path(__file__).with_suffix('.svg').write_text(draw(), encoding='utf-8')
