"""Meters: what is sampled of a machine with made-up drivers, and the lines it is put into at any width."""

from pathlib import Path
from types import SimpleNamespace as Told

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from lth_tui import meters

GIB = 1 << 30


class Nvml:
    """A driver that tells what it is told to; a question of `silent` is not supported."""

    NVML_TEMPERATURE_GPU = 0

    class NVMLError(Exception):
        pass

    def __init__(self, cards: int = 1, silent: tuple[str, ...] = (), name: str = "NVIDIA H100 80GB HBM3") -> None:
        self.cards, self.silent, self.name = cards, silent, name
        self.opened = 0

    def __getattr__(self, question: str):
        def answer(*_: object) -> object:
            if question in self.silent:
                raise self.NVMLError(f"{question}: Not Supported")
            return {
                "nvmlDeviceGetCount": self.cards,
                "nvmlDeviceGetHandleByIndex": _[0] if _ else None,
                "nvmlDeviceGetUUID": f"GPU-{_[0] if _ else ''}",
                "nvmlDeviceGetName": self.name,
                "nvmlDeviceGetUtilizationRates": Told(gpu=63, memory=10),
                "nvmlDeviceGetMemoryInfo": Told(total=80 * GIB, used=20 * GIB, free=60 * GIB),
                "nvmlDeviceGetTemperature": 61,
                "nvmlDeviceGetPowerUsage": 312_400,
            }[question]

        return answer

    def nvmlInit(self) -> None:  # noqa: N802  the driver's own name
        if "nvmlInit" in self.silent:
            raise self.NVMLError("Driver Not Loaded")
        self.opened += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.opened -= 1


class Ps:
    """A system of 16 cores."""

    @staticmethod
    def virtual_memory() -> Told:
        return Told(total=128 * GIB, available=96 * GIB)

    @staticmethod
    def cpu_percent(_: None) -> float:
        return 34.0

    @staticmethod
    def cpu_count() -> int:
        return 16


@pytest.fixture(autouse=True)
def _all_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def sampled(runs: Path, nvml: Nvml) -> meters.Sample:
    sampler = meters.Sampler(runs, nvml, Ps())
    sampler.sample()
    return sampler.sample()


def told(sample: meters.Sample, width: int, trails: meters.Trails | None = None, folder: str = "") -> list[str]:
    return [
        "".join(text for text, _ in line) for line in meters.lines(sample, trails or meters.Trails(), width, folder)
    ]


def test_a_card_is_told_with_all_the_driver_knows(tmp_path):
    (card,) = sampled(tmp_path, Nvml()).cards
    assert card == meters.Card(0, "NVIDIA H100 80GB HBM3", "GPU-0", 0.63, 20 * GIB, 80 * GIB, 61, 312.4)
    line = told(sampled(tmp_path, Nvml()), 80)[0]
    assert all(word in line for word in ("GPU 0", "63 %", "20.0 of 80.0 GiB", "61 °C", "312 W"))


@pytest.mark.parametrize(
    "question",
    ["nvmlDeviceGetUtilizationRates", "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetTemperature", "nvmlDeviceGetPowerUsage"],
)
def test_what_a_driver_does_not_tell_is_left_out_and_the_rest_is_shown(tmp_path, question):
    sample = sampled(tmp_path, Nvml(silent=(question, "nvmlDeviceGetName")))
    assert sample.no_gpu is None
    line = told(sample, 80)[0]
    found = [word in line for word in ("63 %", "20.0 of 80.0 GiB", "61 °C", "312 W")]
    assert found.count(False) == 1
    assert "None" not in line


@pytest.mark.parametrize("silent", [("nvmlInit",), ("nvmlDeviceGetCount",)])
def test_without_a_driver_plain_words_say_so(tmp_path, silent):
    sample = meters.Sampler(tmp_path, Nvml(silent=silent), Ps()).sample()
    assert sample.cards == ()
    assert "GPU" in sample.no_gpu
    assert sample.memory == (32 * GIB, 128 * GIB)
    assert "no GPU here" in told(sampled(tmp_path, Nvml(silent=("nvmlInit",))), 80)[0]


def test_cards_that_no_longer_answer_are_told_and_asked_again(tmp_path):
    nvml = Nvml()
    sampler = meters.Sampler(tmp_path, nvml, Ps())
    assert sampler.sample().cards
    nvml.silent = ("nvmlDeviceGetHandleByIndex",)
    lost = sampler.sample()
    assert "do not answer" in lost.no_gpu
    assert "Not Supported" in lost.no_gpu
    nvml.silent = ()
    assert sampler.sample().cards
    sampler.close()
    sampler.close()
    assert nvml.opened == 0, "each opening of the driver is closed once"


def test_only_cards_that_runs_may_use_are_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
    assert [card.index for card in sampled(tmp_path, Nvml(3)).cards] == [2, 0]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES" in sampled(tmp_path, Nvml(3)).no_gpu


def test_the_first_sample_knows_no_load_and_the_second_does(tmp_path):
    sampler = meters.Sampler(tmp_path, Nvml(), Ps())
    assert sampler.sample().cpu is None
    assert sampler.sample().cpu == 0.34


def test_this_very_machine_can_be_sampled(tmp_path):
    sampler = meters.Sampler(tmp_path / "not" / "yet" / "there")
    sample = sampler.sample()
    assert sample.memory[1] > 0
    assert 0 < meters.share(sample.disk) <= 1
    assert sample.cards or sample.no_gpu
    sampler.close()


def test_a_system_that_tells_nothing_is_shown_as_unknown(tmp_path):
    class Silent:
        def __getattr__(self, name: str):
            def refuse(*_: object) -> None:
                raise OSError(f"{name}: /proc is not mounted")

            return refuse

    sample = meters.Sampler(tmp_path, Nvml(silent=("nvmlInit",)), Silent()).sample()
    assert sample.cpu is sample.memory is None
    assert "–" in told(sample, 80)[1]


def test_a_trail_is_drawn_from_its_end_and_a_gap_where_nobody_looked():
    trails = meters.Trails()
    for busy in (0.0, 0.5, 1.0):
        trails.add(meters.Sample(cpu=busy))
    assert trails.drawn("cpu", 5) == "  ▁▅█"
    assert trails.drawn("cpu", 2) == "▅█"
    trails.gap()
    trails.gap()
    trails.add(meters.Sample(cpu=1.0))
    assert trails.drawn("cpu", 5) == "▁▅█ █"
    assert trails.drawn("nothing", 3) == "   "
    for _ in range(3 * meters.REMEMBERED):
        trails.add(meters.Sample(cpu=1.0))
    assert len(trails.of["cpu"]) == meters.REMEMBERED


@given(st.floats(allow_nan=False))
def test_any_share_has_a_block(value):
    assert meters.block(value) in meters.BLOCKS


@given(st.integers(0, 300), st.integers(0, 9), st.text(max_size=60))
def test_no_line_is_wider_than_its_room_and_every_meter_keeps_its_line(width, cards, name):
    nvml = Nvml(cards, name=name, silent=() if cards else ("nvmlInit",))
    sample = sampled(Path("/"), nvml)
    trails = meters.Trails()
    for _ in range(100):
        trails.add(sample)
    lines = told(sample, width, trails, "~/somewhere")
    assert len(lines) == max(cards, 1) + 3
    assert all(cell_len(line.rstrip()) <= width for line in lines)
    if width >= 30:
        assert all(line.startswith(("GPU", "CPU", "memory", "disk")) for line in lines)
        assert "34 %" in lines[-3]


@pytest.mark.parametrize(("width", "words"), [(78, ("61 °C", "312 W")), (118, ("61 °C", "312 W", "H100"))])
def test_where_there_is_room_nothing_is_left_out(tmp_path, width, words):
    lines = told(sampled(tmp_path, Nvml(8)), width, folder="~/.local/share/lth/runs")
    assert all(word in line for word in words for line in lines[:8])
    assert "16 cores" in lines[8]
    assert "32.0 of 128.0 GiB" in lines[9]
    assert "GiB free" in lines[10]
    assert "~/.local/share/lth/runs" in lines[10]
