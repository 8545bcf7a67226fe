"""The results of `make gpu` in a few lines a person can read."""

from typing import Any


def head(results: dict[str, Any]) -> str:
    about = results["machine"]
    where = about.get("gpu") or about["device"]
    return f"{where}, torch {about['torch']}, {about['cores']} cores"


def part(name: str, found: dict[str, Any]) -> str:
    lines = [f"{name} ({found.get('seconds', 0):.0f} s)"]
    if found.get("error"):
        lines.append(f"  FAILED: {found['error'].strip().splitlines()[-1]}")
    lines += {"agreement": _agreement, "pace": _pace, "study": _study}[name](found)
    return "\n".join(lines)


def _agreement(found: dict[str, Any]) -> list[str]:
    lines = []
    for model, parts in found.get("models", {}).items():
        for name, one in parts.items():
            if "error" in one:
                lines.append(f"  {model} {name}: FAILED: {one['error'].splitlines()[0]}")
                continue
            lines.append(
                f"  {model} {name}: {'within' if one['within'] else 'NOT WITHIN'} tolerance; {_worst(name, one)}"
            )
    return lines


def _worst(name: str, one: dict[str, Any]) -> str:
    if name == "step":
        return (
            f"loss {one['loss_difference']:.1e}, gradients {one['gradient_relative']:.1e} of their norm, "
            f"updated weights {one['weight_max']:.1e}"
        )
    if name == "short_run":
        masks = max(one["mask_entries_that_differ"].values())
        return f"accuracies differ by up to {100 * one['accuracy_difference']:.2f} points, masks in {100 * masks:.2f} %"
    return f"twice the same run differs by {one['weight_max']:.1e}"


def _pace(found: dict[str, Any]) -> list[str]:
    lines = []
    for model, parts in found.get("models", {}).items():
        for name, one in parts.items():
            if "error" in one:
                lines.append(f"  {model} {name}: FAILED: {one['error'].splitlines()[0]}")
            elif name.startswith("waits"):
                inside = one["inside_an_epoch"]
                lines.append(f"  {model}, {name}: {inside} for the device in {one['steps_watched']} steps of an epoch")
                lines += [f"    {count} x {line}" for line, count in one["lines_inside"].items()]
            else:
                lines.append(f"  {model}, {name}: {one['ms']:.3f} ms a step{_kernels(one)}")
    if "ms" in found.get("conv1d", {}):
        lines.append(f"  with nn.Conv1d in the same loop: {found['conv1d']['ms']:.3f} ms a step")
    elif "conv1d" in found:
        lines.append(f"  with nn.Conv1d: FAILED: {found['conv1d']['error'].splitlines()[0]}")
    return lines


def _kernels(one: dict[str, Any]) -> str:
    if "kernels_a_step" not in one:
        return f" (not profiled: {one.get('profile_error', 'no reason given')})"
    return f", {one['kernels_a_step']:.0f} kernels, busy {100 * one['busy_share']:.0f} % of it"


def _study(found: dict[str, Any]) -> list[str]:
    lines = [f"  data: {found.get('data')}"]
    if "state" not in found:
        return lines
    epoch = found["median_epoch_seconds"]
    pace = "" if epoch is None else f", {epoch:.2f} s an epoch"
    lines.append(f"  {found['state']}: {found['trainings']} trainings{pace}")
    if found["cause"]:
        lines.append(f"  cause: {found['cause']}")
    for row in found["table"]:
        arms = [key for key in row if f"{key} seeds" in row]
        means = "  ".join(f"{arm} {100 * row[arm]:.2f} ({row[f'{arm} seeds']})" for arm in arms if row[arm] is not None)
        lines.append(f"  round {row['round']:>2}  {100 * (row['sparsity'] or 0):5.1f} %  {means}")
    if found["verdict"]:
        lines.append(f"  {found['verdict']['sentence']}")
    return lines
