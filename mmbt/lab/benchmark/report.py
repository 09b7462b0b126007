"""A benchmark on the screen and in a file."""
import json

from mmbt.files.atomic import whole_file

HEAD = (' clips frames layers masked precision |  s a step    least   spread |'
        ' clips/s  GFLOP/s of limit  least sustained | memory GiB')


def write_json(report: dict, path: str | None) -> None:
    """Write a report; nothing where there is no path."""
    if path is not None:
        with whole_file(path) as draft:
            draft.write_text(json.dumps(report, indent=1) + '\n', encoding='utf-8')


def as_text(report: dict) -> str:
    """The report as a short table, and what else was asked for below it."""
    lines = [headline(report), HEAD]
    lines += [table_row(row) for row in report['rows']]
    for precision, limit in report['limits'].items():
        shape = max(limit['shapes'], key=limit['shapes'].get)
        lines.append(f"limit {precision}: {limit['rate'] / 1e9:.0f} GFLOP/s ({shape}), sustained "
                     f"{limit['sustained'] / 1e9:.0f}")
    for row in report['rows']:
        lines += details(row)
    return '\n'.join(lines)


def headline(report: dict) -> str:
    """What ran, and on what."""
    machine, settings = report['machine'], report['rows'][0]['settings']
    arch = settings['arch'] if isinstance(settings['arch'], str) else 'custom architecture'
    where = machine.get('gpu') or f"{machine['cpu']}, {machine['threads']} threads"
    return (f"{report['command']}: {arch}, {settings['variant']}, {where}, "
            f"torch {report['versions']['torch']}")


def table_row(row: dict) -> str:
    """One row of the table."""
    settings = row['settings']
    masked = settings['mask_ratio']
    start = (f"{settings['batch']:6} {settings['frames']:6} {settings['layers']:6} "
             f"{'-' if masked is None else format(masked, 'g'):>6} {settings['precision']:>9} | ")
    if 'seconds' not in row:
        return start + ('skipped: ' + row['skipped'] if 'skipped' in row else row['error'])
    seconds, memory = row['seconds'], row['memory']
    peak = memory['allocated' if 'allocated' in memory else 'resident']
    return start + (f"{seconds['median']:9.4f} {seconds['min']:8.4f} {seconds['spread']:8.4f} | "
                    f"{row['clips_per_second']:7.2f} {row['flops_per_second'] / 1e9:8.0f} "
                    f"{row['fraction_of_limit']:8.1%} {row['fraction_of_least']:6.1%} "
                    f"{row['fraction_of_sustained']:9.1%} | "
                    f"{peak / 2**30:.2f} (+{memory['added'] / 2**30:.2f})")


def details(row: dict) -> list[str]:
    """Host syncs on CUDA, what compilation brought, the profile."""
    lines = []
    if row.get('host_sync', {}).get('step') not in (None, 'not applicable'):
        for part, place in row['host_sync'].items():
            lines.append(f'the host waits for the GPU in {part}: {place}')
    if 'compiled' in row:
        lines.append(compiled_line(row['compiled']))
    if 'profile' in row:
        lines += _profile_lines(row['profile'])
    if lines:
        settings = row['settings']
        lines.insert(0, f"\n{settings['batch']} clips x {settings['frames']} frames, "
                     f"{settings['layers']} layers, {settings['precision']}")
    if 'error' in row and 'seconds' in row:
        lines.append(row['error'])
    return lines


def compiled_line(compiled: dict) -> str:
    """What compilation brought, or why it brought nothing."""
    if compiled['error']:
        return f"compiled: failed, {compiled['error']}"
    breaks = sum(compiled['graph_breaks'].values())
    reason = f" ({'; '.join(compiled['graph_breaks'])})" if breaks else ''
    return (f"compiled: {compiled['seconds']:.4f} s a step, gain {compiled['gain']:+.1%}, first "
            f"step {compiled['compile_seconds']:.0f} s, {breaks} graph breaks{reason}")


def _profile_lines(profile: dict) -> list[str]:
    """The profile as two small tables."""
    total = sum(profile['parts'].values()) or 1.
    lines = ['seconds a step by part: ' + ', '.join(
        f'{name} {seconds:.4f} ({seconds / total:.0%})'
        for name, seconds in profile['parts'].items() if seconds / total >= 0.0005)]
    lines.append(f"{'operator':>50} {'part':>10} {'calls':>6} {'s a step':>9} share")
    lines += [f"{row['operator'][:50]:>50} {row['part']:>10} {row['calls']:6.0f} "
              f"{row['seconds']:9.4f} {row['seconds'] / total:5.1%}"
              for row in profile['operators']]
    return lines + [f"these are {profile['listed']:.0%} of it; trace: {profile['trace']}"]
