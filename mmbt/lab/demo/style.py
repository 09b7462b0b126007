"""How the demo's page looks: by day and by night, from 320 pixels of width on."""
from .figures import COLORS, VERDICTS

_DAY = dict(ground='#f4f6f8', sheet='#ffffff', ink='#22303c', faint='#5d6a76', rule='#e1e6ea',
            code='#eef1f4', branch=COLORS['bt_adapter'], mean=COLORS['frame_mean'],
            right='#1d7a37', tied='#9a6200', wrong='#c02f4a',
            lines=('#1f6fb2', '#c2571a', '#3f7f49', '#7b539f', '#8a6242'))
_NIGHT = dict(ground='#12181e', sheet='#1a222a', ink='#e4eaef', faint='#a3b0bb', rule='#33404b',
              code='#26313b', branch='#5aa7e6', mean='#a89a86', right='#5fce7f', tied='#f0b54a',
              wrong='#ff7d92', lines=('#5aa7e6', '#f09a5b', '#7fc48a', '#b796dd', '#c9a184'))


def _variables(colors: dict) -> str:
    named = {**colors, **{f'line{place}': color for place, color in enumerate(colors['lines'])}}
    del named['lines']
    return ' '.join(f'--{name}: {color};' for name, color in named.items())


STYLE = f"""
:root {{ color-scheme: light dark; {_variables(_DAY)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(_NIGHT)} }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
  overflow-wrap: break-word; }}
main {{ max-width: 1120px; margin: 0 auto; padding: 2rem 1.25rem 4rem; }}
h1 {{ font-size: 1.9rem; line-height: 1.2; margin: 0 0 .8rem; }}
h2 {{ font-size: 1.3rem; margin: 0 0 .5rem; }}
h3 {{ font-size: 1.02rem; margin: 1.6rem 0 .2rem; }}
p {{ max-width: 88ch; margin: .3rem 0 .9rem; }}
section {{ background: var(--sheet); border: 1px solid var(--rule); border-radius: 10px;
  padding: 1.3rem 1.5rem; margin: 1.3rem 0; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; max-width: 100%; }}
th, td {{ padding: .28rem .9rem; text-align: right; border-bottom: 1px solid var(--rule);
  vertical-align: bottom; }}
th:first-child, td:first-child {{ text-align: left; padding-left: 0; }}
th {{ font-weight: 600; }}
.faint {{ color: var(--faint); font-size: .88rem; }}
.better {{ color: var(--right); }} .worse {{ color: var(--wrong); }}
.models {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr));
  gap: .4rem 1.6rem; }}
.models > * {{ min-width: 0; }}
.model {{ font-size: .88rem; font-weight: 600; border-bottom: 3px solid; margin-bottom: .5rem; }}
.model.bt_adapter {{ border-color: var(--branch); }}
.model.frame_mean {{ border-color: var(--mean); }}
.query {{ border-top: 1px solid var(--rule); padding: .7rem 0 .5rem; }}
.caption {{ font-weight: 600; margin: 0 0 .35rem; }}
figure {{ margin: 0 0 .7rem; }}
.clip {{ display: grid; grid-template-columns: 80px 1fr; gap: 6px; align-items: center;
  border: 3px solid var(--rule); border-radius: 4px; padding: 3px; }}
.clip video, .clip img {{ width: 100%; height: auto; display: block; border-radius: 2px; }}
figcaption {{ font-size: .84rem; line-height: 1.4; margin-top: .15rem; }}
.facts {{ display: flex; flex-wrap: wrap; gap: 1rem 3.5rem; align-items: start; }}
.facts td {{ overflow-wrap: anywhere; }}
code {{ background: var(--code); border-radius: 4px; padding: .1rem .35rem;
  overflow-wrap: anywhere; }}
.legend {{ display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; font-size: .86rem;
  margin: .2rem 0 .6rem; align-items: center; }}
.legend i {{ display: inline-block; vertical-align: middle; margin-right: .4rem; }}
.legend i.bar {{ display: inline-block; width: 18px; margin-right: .4rem; }}
.legend i.notch {{ position: static; height: 14px; transform: none; }}
.bars {{ display: grid; grid-template-columns: minmax(8rem, 15rem) 1fr; gap: 0 1rem;
  align-items: center; padding: .22rem 0; font-size: .92rem; }}
.track {{ display: grid; grid-template-columns: 1fr 4.2rem; align-items: center; gap: .5rem;
  line-height: 1.25; }}
.track b {{ font-weight: 500; font-variant-numeric: tabular-nums; }}
.way {{ position: relative; height: 14px; }}
i.bar {{ display: block; height: 12px; border-radius: 0 2px 2px 0; margin: 1px 0; }}
i.bar.bt_adapter {{ background: var(--branch); }} i.bar.frame_mean {{ background: var(--mean); }}
i.notch {{ position: absolute; top: 0; width: 2px; height: 14px; background: var(--ink);
  transform: translateX(-1px); }}
svg.chart {{ width: 100%; height: auto; display: block; }}
svg text {{ font-size: 12px; fill: var(--ink); }}
svg .grid {{ stroke: var(--rule); stroke-width: 1; }}
svg polyline {{ fill: none; stroke-width: 1.4; }} svg polyline.line0 {{ stroke-width: 2.2; }}
svg line[class^=line] {{ stroke-width: 2; }}
""" + ''.join(f'.{verdict} .clip {{ border-color: var(--{verdict}); }}\n'
              f'.{verdict} .mark {{ color: var(--{verdict}); font-weight: 700; }}\n'
              for verdict in VERDICTS) + ''.join(
    f'.line{place} {{ stroke: var(--line{place}); }}\n' for place in range(5)) + """
@media (max-width: 640px) {
  main { padding: 1.1rem .6rem 2rem; }
  h1 { font-size: 1.5rem; }
  section { padding: .9rem .8rem; }
  section > table { width: 100%; }
  th, td, td.faint { padding: .28rem .22rem; font-size: .8rem; }
  th { font-size: .72rem; }
  td .faint { display: block; font-size: .74rem; }
  .bars { grid-template-columns: 1fr; padding: .3rem 0; }
  .clip { grid-template-columns: 64px 1fr; }
}
@media (max-width: 380px) {
  th, td, td.faint { padding: .25rem .12rem; font-size: .72rem; }
  th { font-size: .62rem; }
}
"""
