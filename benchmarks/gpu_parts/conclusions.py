"""What follows from the rows: whether the goals are met, and whether the defaults are the best."""

from flipsketch.models.kernels import default_kernels
from gpu_parts.bench import WORTHWHILE, Bench
from gpu_parts.clips import CLIPS, best_clips
from gpu_parts.fits import chosen_clips
from gpu_parts.rows import DERIVED, Row, Rows
from gpu_parts.unet import COMPILED, EAGER, GRAPH, PASSES, rank_variants
from gpu_parts.vae import best_call
from gpu_parts.variants import default_name

GOALS = "g. Goals"
DEFAULTS = "g. Defaults that follow"
MEMORY_GOAL_GB = 16


def conclude(bench: Bench) -> None:
    """Write the goals and the defaults, from what has been measured so far."""
    goals = [
        faster_goal(bench.rows, aligned=False, times=5),
        faster_goal(bench.rows, aligned=True, times=4),
        peak_goal(bench.rows),
        memory_goal(bench.rows),
    ]
    derived = [
        {"table": table, "case": line.pop("case"), **line, "took_s": 0.0, "outcome": DERIVED}
        for table, lines in ((GOALS, goals), (DEFAULTS, find_defaults(bench)))
        for line in lines
    ]
    bench.rows.replace_derived(derived)


def faster_goal(rows: Rows, *, aligned: bool, times: float) -> Row:
    goal = f"at least {times} times the published schedule's clips an hour, "
    goal += "with alignment" if aligned else "without alignment"
    published = best_clips(rows, aligned, schedule="published")
    ours = best_clips(rows, aligned)
    if published is None or ours is None:
        return unmeasured(goal)
    ratio = published["s_a_clip"] / ours["s_a_clip"]
    measured = (
        f"{ratio:.2f} times: {ours['clips_an_hour']} against {published['clips_an_hour']} "
        f"({ours['case']}; {ours['measured']})"
    )
    return {"case": goal, "measured": measured, "met": ratio >= times}


def peak_goal(rows: Rows) -> Row:
    goal = "at least 40% of the measured matrix peak inside the UNet"
    passes = [row for row in rows.measured(PASSES) if row["percent_of_peak"] is not None]
    best = max(passes, key=lambda row: row["percent_of_peak"], default=None)
    if best is None:
        return unmeasured(goal)
    measured = f"{best['percent_of_peak']}% ({best['case']})"
    return {"case": goal, "measured": measured, "met": best["percent_of_peak"] >= 40}


def memory_goal(rows: Rows) -> Row:
    goal = f"alignment of one clip in {MEMORY_GOAL_GB} GB with checkpointing"
    found = [
        row
        for row in rows.measured(CLIPS)
        if row.get("checkpointing") and row["aligned"] and row["batch"] == 1
    ]
    if not found:
        return unmeasured(goal)
    gb = min(row["peak_gib"] for row in found) * 2**30 / 1e9
    return {"case": goal, "measured": f"{gb:.1f} GB", "met": gb <= MEMORY_GOAL_GB}


def unmeasured(goal: str) -> Row:
    return {"case": goal, "measured": "not measured", "met": None}


def find_defaults(bench: Bench) -> list[Row]:
    """Return for each setting what was the best, and what the code chooses."""
    rows, model = bench.rows, bench.model
    kernels = default_kernels(model.device.type)
    lines = []
    if ranked := rank_variants(rows):
        lines.append(choose_kernels(ranked, default_name(model)))
        lines.append(choose_how(rows, GRAPH, default=True))
        lines.append(choose_how(rows, COMPILED, default=False))
    for aligned in (False, True):
        setting = f"clips a batch, {'aligned' if aligned else 'not aligned'}"
        if (best := best_clips(rows, aligned)) is not None:
            lines.append(choose_batch(rows, setting, best))
    for what in ("decode", "encode"):
        if (best := best_call(rows, what)) is not None:
            why = f"{best['ms_a_frame']} ms a frame"
            lines.append(choice(f"frames to {what} at once", best["frames"], model.vae_chunk, why))
            setting = f"channels last to {what}"
            lines.append(choice(setting, best["channels_last"], kernels.channels_last, why))
    return lines


def choose_kernels(ranked: list[Row], default: str) -> Row:
    best = ranked[0]
    line = choice("kernels", best["variant"], default, f"{best['ms']} ms: {best['case']}")
    for row in ranked:
        if row["variant"] == default:
            line["why"] += f"; the default takes {row['ms']} ms"
            line["agree"] = row["ms"] <= WORTHWHILE * best["ms"]
    return line


def choose_batch(rows: Rows, setting: str, best: Row) -> Row:
    default = chosen_clips(rows, best["aligned"])
    line = choice(setting, best["batch"], default, f"{best['s_a_clip']} s a clip: {best['case']}")
    found = best_clips(rows, best["aligned"], batch=default)
    if found is not None:
        line["why"] += f"; the default takes {found['s_a_clip']} s"
        line["agree"] = found["s_a_clip"] <= WORTHWHILE * best["s_a_clip"]
    return line


def choose_how(rows: Rows, how: str, *, default: bool) -> Row:
    """Compare a way to run passes with launching them one by one, at each batch."""
    passes = {
        (row["variant"], row["batch"], row["how"]): row["ms"] for row in rows.measured(PASSES)
    }
    ratios = {
        batch: passes[variant, batch, EAGER] / ms
        for (variant, batch, own), ms in passes.items()
        if own == how and (variant, batch, EAGER) in passes
    }
    if not ratios:
        return choice(how, None, default, "not measured")
    why = ", ".join(f"{ratio:.2f} at batch {batch}" for batch, ratio in sorted(ratios.items()))
    helps = max(ratios.values()) > WORTHWHILE and min(ratios.values()) > 1 / WORTHWHILE
    return choice(how, helps, default, f"times as fast: {why}")


def choice(setting: str, best: object, default: object, why: str) -> Row:
    agree = None if best is None or default is None else best == default
    return {"case": setting, "best": best, "default": default, "agree": agree, "why": why}
