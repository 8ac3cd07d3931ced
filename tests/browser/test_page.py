"""explorer.html in a real browser, by file://: every view, dragging and keys, what the nets answer against numpy, the
address, light and dark, a phone, names for a screen reader, no message on the console.

Skipped where there is no Chromium or no selenium, unless REQUIRE_BROWSER is set."""

import functools
import json
import os
import re

import chromium
import numpy as np
import pytest
from conftest import shipped_results
from test_explorer import with_a_gru

import adding_lesions
import adding_problem as ap
import lstm_1997 as lstm
import make_explorer
import studies
from analysis import cells

pytestmark = pytest.mark.xdist_group("browser")  # one browser, not one for each worker
CLOSE = 1e-12
DESKTOP, PHONE = (1280, 900), (360, 740)


@pytest.fixture(scope="module")
def driver():
    lacking = chromium.missing()
    if lacking:
        assert not os.environ.get("REQUIRE_BROWSER"), f"{lacking} are asked for and not installed"
        pytest.skip(f"needs {lacking}")
    with chromium.browser() as found:
        yield found


@pytest.fixture
def page(driver):
    """Opens the page at an address; at the end nothing may stand on the console."""
    chromium.resize(driver, *DESKTOP)
    driver.get_log("browser")

    def open_at(address="", size=DESKTOP, file=None):
        chromium.resize(driver, *size)
        chromium.open_page(driver, address, file)
        return driver

    yield open_at
    assert driver.get_log("browser") == []


@functools.cache
def shipped():
    """The results of which the committed page was made."""
    found = shipped_results()
    if found is None:
        pytest.skip("results.json holds runs of your own, and there is no git to ask for the project's")
    return found


def find(driver, selector):
    return driver.find_element("css selector", selector)


def find_all(driver, selector):
    return driver.find_elements("css selector", selector)


def click(driver, words, selector="label, button, a, summary"):
    """Clicks the visible control with these words."""
    for element in find_all(driver, selector):
        if element.is_displayed() and element.text == words:
            element.click()
            return
    raise AssertionError(f"no {words!r} to be clicked")


def address(driver):
    """What stands behind the #."""
    hash_part = driver.execute_script("Address.flush(); return location.hash.slice(1)")
    return dict(part.split("=") for part in hash_part.split("&") if part)


def answer(driver):
    """What the net says, in full."""
    return np.array(json.loads(find(driver, ".answer").get_attribute("data-y")))


def shown(driver):
    """The inputs of the sequence on the screen, (T, n_in), by the page's own functions from its address."""
    return np.array(driver.execute_script("""
        const data = Page.data();
        const task = Address.get('task', data.nets[0].task);
        const net = data.nets.find((each) => each.task === task);
        const pairs = Object.fromEntries((Address.get('set') || '').split(',').filter(Boolean)
          .map((pair) => pair.split(':').map(Number)));
        const marks = (Address.get('marks') || '').split(',').filter(Boolean).map(Number);
        const seed = Number(Address.get('seed', 3));
        return Tasks.TASKS[task].inputs(Tasks.sequence(task, net.own, seed, {values: pairs, symbols: pairs, marks}));
    """), float)


def adding_record(cell="lstm"):
    return studies.find(shipped(), ap.EXPERIMENT, dict(cell=cell))


def numpys_net(record, n=1, stage=-1):
    """The net of a record of the adding problem, n sequences wide, as the page runs it: its weights in
    double precision, also where it was trained in single."""
    net = ap.build(ap.Settings(**record["settings"] | {"dtype": "float64"}), n)
    for name, tensor in net.tensors(net.theta).items():
        tensor[:] = record["snapshots"][stage]["weights"][name]
    return net


def of_numpy(x, cell="lstm", stage=-1):
    """What numpy's net of the adding problem says to x (T, 2)."""
    return numpys_net(adding_record(cell), 1, stage).forward(x[:, :, None])[0, :, 0]


def of_numpy_1997(x, which, trained=True):
    """What numpy's net of Experiment 4 (which = 0) or 6a (1) says to x (T, n_in)."""
    record = cells.drawn(shipped())[which]
    settings, seed = lstm.Settings(**record["settings"]), record["weights"]["seed"]
    layout = lstm.Layout(settings)
    theta = np.array(record["weights"]["theta"]) if trained else lstm.Trial(settings, seed).start(layout)
    net = lstm.Net(layout, np.array([theta, theta]), lstm.LaneSettings.of([settings] * 2))
    inputs = x.argmax(1)[:, None].repeat(2, 1) if layout.symbolic else x[:, :, None].repeat(2, 2)
    return net.forward(inputs, np.array([len(x) - 1] * 2))[0]


def drag(driver, element, right, down):
    from selenium.webdriver import ActionChains

    ActionChains(driver, duration=20).move_to_element(element).click_and_hold().move_by_offset(
        right // 2, down // 2).move_by_offset(right - right // 2, down - down // 2).release().perform()


def press(driver, *keys):
    from selenium.webdriver import ActionChains

    for key in keys:
        ActionChains(driver).send_keys(key).perform()


def set_range(driver, selector, value):
    """Moves a slider as a hand does, to a value."""
    driver.execute_script("""
        const [slider, value] = arguments;
        slider.value = value;
        slider.dispatchEvent(new Event('input', { bubbles: true }));
        slider.dispatchEvent(new Event('change', { bubbles: true }));
    """, find(driver, selector), value)


# --------------------------------------------------------------------------------------------------
# Watch a net
# --------------------------------------------------------------------------------------------------

def test_the_first_view_says_what_the_net_does(page):
    driver = page()
    chromium.settled(driver)
    assert "What is their sum?" in find(driver, ".question").text
    boxes = [box.text.split("\n") for box in find_all(driver, ".box")]
    assert [words[0] for words in boxes] == ["marked", "right answer", "the net says"]
    x = shown(driver)
    assert abs(answer(driver) - of_numpy(x)).max() < CLOSE
    said = float(boxes[2][1].split()[0].replace("−", "-"))
    assert said == pytest.approx(answer(driver)[0], abs=0.00501)
    target = x[x[:, 1] == 1, 0].sum()
    assert float(boxes[1][1].replace("−", "-")) == pytest.approx(target, abs=0.00501)
    assert ("✓" in boxes[2][1]) == (abs(answer(driver)[0] - target) < ap.TOLERANCE)
    assert re.search(r"answers \d+ right", find(driver, ".score").text)


def test_dragging_a_marked_value_changes_the_answer_as_numpy_says(page):
    driver = page()
    before, x = answer(driver), shown(driver)
    first = int(np.flatnonzero(x[:, 1])[0])
    drag(driver, find(driver, f".handle[data-value='{first}']"), 0, 40)
    changed = address(driver)["set"]
    assert changed.startswith(f"{first}:")
    after = shown(driver)
    assert after[first, 0] == float(changed.split(":")[1]) < x[first, 0] - 0.2
    assert (np.delete(after, first, 0) == np.delete(x, first, 0)).all()
    assert abs(answer(driver) - of_numpy(after)).max() < CLOSE and abs(answer(driver) - before).max() > 0.1
    click(driver, "Undo changes")
    assert (answer(driver) == before).all() and "set" not in address(driver)


def test_dragging_a_mark_moves_it(page):
    driver = page()
    x = shown(driver)
    drag(driver, find(driver, ".handle[data-mark='1']"), -90, 0)
    after = shown(driver)
    assert after[:, 1].sum() == 2 and (after[:, 1] != x[:, 1]).sum() == 2 and (after[:, 0] == x[:, 0]).all()
    assert abs(answer(driver) - of_numpy(after)).max() < CLOSE


def test_a_mark_does_not_move_onto_the_other(page):
    driver = page("marks=10,12")
    drag(driver, find(driver, ".handle[data-mark='0']"), 300, 0)
    assert shown(driver)[:, 1].sum() == 2
    assert len(set(address(driver)["marks"].split(","))) == 2


def test_dragging_by_touch(page):
    driver = page(size=PHONE)
    chromium.settled(driver)
    handle = find(driver, ".handle[data-value]")
    driver.execute_script("arguments[0].scrollIntoView({ block: 'center' })", handle)
    step, before = int(handle.get_attribute("data-value")), shown(driver)
    where = driver.execute_script("""
        const { x, y, width, height } = arguments[0].getBoundingClientRect();
        return [x + width / 2, y + height / 2];
    """, handle)
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", dict(enabled=True))
    moves = [("touchMove", 4 * k) for k in range(1, 9)]
    for kind, down in (("touchStart", 0), *moves, ("touchEnd", None)):
        chromium.time.sleep(0.03)
        points = [] if down is None else [dict(x=where[0], y=where[1] + down)]
        driver.execute_cdp_cmd("Input.dispatchTouchEvent", dict(type=kind, touchPoints=points))
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", dict(enabled=False))
    after = shown(driver)
    assert after[step, 0] < before[step, 0] - 0.2
    assert abs(answer(driver) - of_numpy(after)).max() < CLOSE


def test_the_keyboard_alone_changes_a_value_and_moves_a_mark(page):
    from selenium.webdriver.common.keys import Keys

    driver = page("at=20")
    driver.execute_script("document.querySelector('.bench').focus()")
    press(driver, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    bench = find(driver, ".bench")
    assert bench.get_attribute("aria-valuenow") == "23" and address(driver)["at"] == "22"
    assert bench.get_attribute("aria-valuetext").startswith("step 23 of 100: input ")
    before = shown(driver)
    press(driver, Keys.ARROW_UP)
    after = shown(driver)
    assert abs(after[22, 0] - min(before[22, 0] + 0.05, 1)) <= 0.0051
    assert abs(answer(driver) - of_numpy(after)).max() < CLOSE
    find(driver, "#mark-here").send_keys(Keys.ENTER)
    assert shown(driver)[22, 1] == 1 and shown(driver)[:, 1].sum() == 2
    number = find(driver, "#value-0-number")
    number.clear()
    number.send_keys("0.5", Keys.TAB)
    assert shown(driver)[22, 0] == 0.5 and abs(answer(driver) - of_numpy(shown(driver))).max() < CLOSE
    for key, step in ((Keys.HOME, "1"), (Keys.END, "100"), (Keys.PAGE_UP, "90"), (Keys.ARROW_LEFT, "89")):
        bench.send_keys(key)
        assert bench.get_attribute("aria-valuenow") == step


def test_a_slider_changes_the_value_while_it_moves(page):
    driver = page()
    set_range(driver, "#value-1", 0.25)
    x = shown(driver)
    assert x[np.flatnonzero(x[:, 1])[1], 0] == 0.25 and abs(answer(driver) - of_numpy(x)).max() < CLOSE


def test_every_stage_of_training_answers_as_numpy_says(page):
    driver = page("task=adding&net=rnn")
    stages = int(find(driver, "#stage").get_attribute("max"))
    assert stages >= 20
    x = shown(driver)
    for stage in (0, 1, stages // 2, stages):
        set_range(driver, "#stage", stage)
        assert abs(answer(driver) - of_numpy(x, "rnn", stage)).max() < CLOSE
    set_range(driver, "#stage", 0)
    assert find(driver, ".figures").text.startswith("before training") and address(driver)["stage"] == "0"


def test_a_gru_is_watched_like_the_others(page, tmp_path):
    """States, gates, lesions and every stage, in a page that is made with a record of it."""
    results, record = with_a_gru(shipped(), "float32")
    file = tmp_path / "page.html"
    file.write_text(make_explorer.page(results), encoding="utf-8")
    driver = page("at=59", file=file)
    click(driver, "GRU")
    x, titles = shown(driver), find(driver, ".figure").text
    assert all(title in titles for title in ("state h", "update gate z", "reset gate r", "candidate n"))
    for stage in range(4):
        set_range(driver, "#stage", stage)
        net = numpys_net(record, 1, stage)
        assert abs(answer(driver) - net.forward(x[:, :, None])[0, :, 0]).max() < CLOSE
    rows = np.array([row.text.replace("−", "-").split() for row in find_all(driver, ".numbers tbody tr")], float)
    wanted = np.stack([net.h[59], net.z[59], net.r[59], net.n[59]])[:, :, 0].T
    assert np.allclose(rows[:, 1:], wanted, atol=0.000501)
    find(driver, "[aria-label='Cut unit 3']").click()
    click(driver, "Cut the weights between units")
    for name, tensor in net.tensors(net.theta).items():
        if name in ("W_hr", "W_hz", "W_hm"):
            tensor[:] = np.diag(np.diag(tensor))
    net.tensors(net.theta)["W_hy"][:, 2] = 0
    assert abs(answer(driver) - net.forward(x[:, :, None])[0, :, 0]).max() < CLOSE
    click(driver, "The GRU, trained just as long")
    assert address(driver)["net"] == "gru" and "cut" not in address(driver)


def test_what_is_not_there_is_not_suggested(page, tmp_path):
    results = dict(shipped())
    results[ap.EXPERIMENT] = [record for record in results[ap.EXPERIMENT] if record["settings"]["cell"] != "gru"]
    file = tmp_path / "page.html"
    file.write_text(make_explorer.page(results), encoding="utf-8")
    driver = page("net=gru", file=file)
    assert "GRU" not in find(driver, "#watch").text and len(find_all(driver, ".try a")) == 4
    assert abs(answer(driver) - of_numpy(shown(driver))).max() < CLOSE


def test_play_goes_through_the_training(page):
    driver = page()
    click(driver, "▶ Play")
    assert address(driver)["stage"] == "0"
    chromium.time.sleep(1)
    click(driver, "■ Stop")
    assert int(address(driver)["stage"]) >= 1


def test_lesions_are_numpys(page):
    driver = page()
    x = shown(driver)
    weights = {name: np.array(values) for name, values in adding_record()["snapshots"][-1]["weights"].items()}
    find(driver, "[aria-label='Cut unit 7']").click()
    cut = adding_lesions.without_unit(weights, 6)
    assert abs(answer(driver) - adding_lesions.forward(cut, x[:, :, None])[0]).max() < CLOSE
    assert find(driver, "[aria-label='Cut unit 7']").get_attribute("aria-pressed") == "true"
    click(driver, "Cut the weights between units")
    both = adding_lesions.forward(cut, x[:, :, None], into="oifg")[0]
    assert abs(answer(driver) - both).max() < CLOSE and address(driver)["cut"] == "7"
    click(driver, "Heal all")
    assert abs(answer(driver) - of_numpy(x)).max() < CLOSE


def test_the_numbers_of_a_step_are_those_of_the_net(page):
    from selenium.webdriver import ActionChains

    driver = page()
    figure = find(driver, ".figure")
    ActionChains(driver).move_to_element_with_offset(figure, 0, 20).perform()
    t = int(address(driver)["at"])
    assert find(driver, ".side h2:has(+ .editors)").text == f"Step {t + 1} of 100"
    net = numpys_net(adding_record())
    net.forward(shown(driver)[:, :, None])
    rows = [row.text.replace("−", "-").split() for row in find_all(driver, ".numbers tbody tr")]
    wanted = np.stack([net.c[1:][t], net.i[t], net.f[t], net.o[t], net.g[t], net.h[t]])[:, :, 0].T
    assert np.allclose(np.array(rows, float)[:, 1:], wanted, atol=0.000501)


def test_new_sequences_are_new_and_the_score_counts(page):
    driver = page()
    first = shown(driver)
    click(driver, "New sequence")
    second = shown(driver)
    assert (first != second).any() and abs(answer(driver) - of_numpy(second)).max() < CLOSE
    chromium.settled(driver)
    right = int(re.search(r"(\d+) right", find(driver, ".score").text)[1])
    x = np.array(driver.execute_script("""
        const seeds = Array.from({ length: 100 }, (_, k) => 1000000 + k);
        return seeds.map((seed) => Tasks.TASKS.adding.inputs(Tasks.sequence('adding', { T: 100 }, seed)));
    """))
    net = numpys_net(adding_record(), 100)
    targets = np.array([each[each[:, 1] == 1, 0].sum() for each in x])
    assert right == (abs(net.forward(x.transpose(1, 2, 0))[0, 0] - targets) < ap.TOLERANCE).sum()


@pytest.mark.parametrize("which, task", [(0, "adding1997"), (1, "order1997")])
def test_nets_of_1997(which, task, page):
    driver = page(f"task={task}")
    assert abs(answer(driver) - of_numpy_1997(shown(driver), which)).max() < CLOSE
    click(driver, "before training")
    assert abs(answer(driver) - of_numpy_1997(shown(driver), which, trained=False)).max() < CLOSE


def test_a_letter_is_dragged_and_clicked(page):
    driver = page("task=order1997")
    before = shown(driver).argmax(1)
    letter = find(driver, ".handle[data-symbol]")
    first = int(letter.get_attribute("data-symbol"))
    drag(driver, letter, 45, 0)
    after = shown(driver).argmax(1)
    moved = int(np.flatnonzero(after >= 6)[0])
    assert moved > first and after[moved] == before[first] and sorted(after) == sorted(before)
    find(driver, f".handle[data-symbol='{moved}']").click()
    turned = shown(driver).argmax(1)
    assert turned[moved] == 13 - after[moved] and (np.delete(turned, moved) == np.delete(after, moved)).all()
    assert abs(answer(driver) - of_numpy_1997(shown(driver), 1)).max() < CLOSE


def test_a_bit_is_turned_over(page):
    driver = page("task=threeBits")
    before = find_all(driver, ".box .big")[1].text
    find(driver, ".handle[data-symbol='1']").click()
    after = find_all(driver, ".box .big")[1].text
    assert after == before[0] + str(1 - int(before[1])) + before[2]
    assert find_all(driver, ".box .big")[2].text == f"{after} ✓"


def test_every_task_and_net_can_be_chosen(page):
    driver = page()
    seen = []
    for task in ("Adding", "Three bits", "One sign", "Adding, 1997", "Order, 1997"):
        click(driver, task)
        nets = [element.text for element in find_all(driver, ".pickers fieldset:nth-of-type(2) label")]
        for net in nets or [None]:
            if net:
                click(driver, net)
            assert len(find_all(driver, ".figure > g")) >= 5 and np.isfinite(answer(driver)).all()
            seen.append((task, net))
        for summary in find_all(driver, "#watch details"):
            summary.find_element("css selector", "summary").click()
    assert len(seen) >= 9


# --------------------------------------------------------------------------------------------------
# Paper against ours, runs
# --------------------------------------------------------------------------------------------------

def test_compare_filters_and_a_point_tells_its_command(page):
    driver = page()
    click(driver, "Paper against ours")
    every = len(find_all(driver, ".point"))
    assert every > 90
    click(driver, "4")
    click(driver, "ours, with named changes")
    some = len(find_all(driver, ".point"))
    assert 0 < some < 20 and address(driver)["experiments"] == "4" and address(driver)["kinds"] == "changed"
    find(driver, ".point").click()
    detail = find(driver, "#compare .detail").text
    assert detail.startswith("Experiment 4, T = 100") and "python3 lstm_1997.py --experiment 4" in detail
    assert "paper, Table 7" in detail and "by the cap of" in detail
    reading = re.search(r"reading: (.*) \(", detail)[1]
    from selenium.webdriver.support.ui import Select
    Select(find(driver, "#compare select")).select_by_visible_text(reading)
    assert all(reading in point.get_attribute("aria-label") for point in find_all(driver, ".point"))
    click(driver, "Its curve and settings, among the runs")
    assert find(driver, "#runs .detail h2").text.startswith("lstm_1997")


def test_compare_by_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    driver = page("view=compare")
    point = find(driver, ".point[tabindex='0']")
    driver.execute_script("arguments[0].focus()", point)
    press(driver, Keys.ARROW_RIGHT)
    first = address(driver)["point"]
    press(driver, Keys.ARROW_RIGHT)
    assert address(driver)["point"] != first
    assert driver.switch_to.active_element.get_attribute("data-point") == address(driver)["point"]
    assert len(find_all(driver, ".point[tabindex='0']")) == 1


def test_a_browser_that_cannot_unpack_the_data_is_told_so(driver):
    remove = dict(source="delete globalThis.DecompressionStream")
    added = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", remove)
    try:
        driver.get((chromium.ROOT / "explorer.html").as_uri())
        assert "needs a browser of 2023 or later" in find(driver, "main").text
    finally:
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
    assert driver.get_log("browser") == []


def test_runs_sort_filter_and_show_a_curve(page):
    driver = page("view=runs")
    total = sum(len(part) for name, part in shipped().items() if name != "schema")
    assert f"{total:,} of {total:,} runs" == find(driver, "#runs .quiet").text
    find(driver, "#find").send_keys("cell=lstm T=1000")
    find(driver, "thead button[data-column='outcome']").click()
    rows = [row.text for row in find_all(driver, "#runs tbody .column-outcome")]
    values = [float(re.search(r"MSE (\S+),", row)[1]) for row in rows if "MSE" in row]
    assert len(values) >= 3 and values == sorted(values)
    find(driver, "thead button[data-column='outcome']").click()
    assert find(driver, "th.column-outcome").get_attribute("aria-sort") == "descending"
    with_curves = set(driver.execute_script("""
        const data = Page.data();
        return data.runs.records.filter((record) => record[6]).map((record) => record[1]);
    """))
    shown_runs = [button.get_attribute("data-run") for button in find_all(driver, "#runs tbody .open")]

    def open_run(chosen):
        find(driver, f"#runs tbody .open[data-run='{chosen}']").click()
        return find(driver, "#runs .detail")

    without = next(run for run in shown_runs if run not in with_curves)
    assert "It keeps no curve." in open_run(without).text and not find_all(driver, "#runs .detail .curve")
    detail = open_run(next(run for run in shown_runs if run in with_curves))
    assert find(driver, "#runs .detail .curve").get_attribute("d").startswith("M")
    for words in ("python3 adding_problem.py", "hidden", "In the end", "Where it comes from"):
        assert words in detail.text
    click(driver, "Where it comes from")
    assert "fingerprint" in detail.text and "git_commit" in detail.text


def test_every_kind_of_run_can_be_opened(page):
    """A run of each experiment, with each set of figures and of curves."""
    driver = page("view=runs")
    opened, failures = driver.execute_script("""
        const data = Page.data();
        const kinds = new Map(data.runs.records.map((run) => {
          const [experiment, id, , studies, , [names], curves] = run;
          return [JSON.stringify([experiment, studies.length > 0, names, curves && Object.keys(curves[1])]), id];
        }));
        const failed = [];
        for (const id of kinds.values()) {
          Address.set({ run: id }, { quiet: true });
          try {
            Runs.show(document.getElementById('runs'), data);
            const text = document.querySelector('#runs .detail').textContent;
            if (/undefined|null|NaN|object Object/.test(text)) failed.push([id, text]);
          } catch (error) {
            failed.push([id, String(error)]);
          }
        }
        return [kinds.size, failed];
    """)
    assert failures == [] and opened > 20


# --------------------------------------------------------------------------------------------------
# Address, colours, phone, screen readers
# --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("where", [
    "task=adding&net=rnn&stage=5&seed=12&set=4:0.25,77:-0.5&marks=4,77&cut=2,3&between=cut&at=40&theme=dark",
    "task=latch&net=lstm&from=3&stage=0&seed=8&set=0:-0.8&between=cut", "task=order1997&seed=9&cut=1,2",
    "view=compare&experiments=4,5&kinds=literal", "view=runs&find=ortho+seed=3&sort=-seconds"])
def test_the_address_opens_the_same_view(where, page):
    driver = page(where)
    view = "#compare" if "compare" in where else "#runs" if "runs" in where else "#watch"
    seen = find(driver, view).text
    assert driver.execute_script("return location.hash") in ("#" + where, "")
    saved = driver.execute_script("Address.flush(); return location.hash.slice(1)")
    page("task=threeBits")
    driver = page(saved)
    assert find(driver, view).text.split("Of 100")[0] == seen.split("Of 100")[0]


@pytest.mark.parametrize("where", [
    "%", "task=nonsense&net=nonsense&stage=99&seed=-3&cut=99,x&at=1000&set=a:b,5:zz&marks=1",
    "view=nonsense&theme=nonsense",
    "view=runs&run=nonsense&sort=nonsense", "view=compare&experiments=99&point=nonsense&reading=nonsense",
    "task=threeBits&set=0:7,59:1,20:0", "task=order1997&set=0:6,50:9", "set=4:1e999", "task=latch&from=99&set=0:5"])
def test_a_broken_address_opens_the_page_all_the_same(where, page):
    driver = page(where)
    assert len(find(driver, "main").text) > 200
    if "view" not in where:
        assert np.isfinite(answer(driver)).all()


def test_links_go_back_and_forth_between_views(page):
    driver = page("seed=5&cut=2")
    before = answer(driver)
    click(driver, "Runs")
    click(driver, "Watch a net")
    assert (answer(driver) == before).all() and address(driver)["seed"] == "5"


def test_light_and_dark(page):
    def ground(driver):
        return driver.execute_script("return getComputedStyle(document.body).backgroundColor")

    driver = page()
    light = ground(driver)
    click(driver, "Dark")
    dark = ground(driver)
    assert light != dark and address(driver)["theme"] == "dark"
    click(driver, "Auto")
    assert ground(driver) == light and "theme" not in address(driver)
    wish = dict(name="prefers-color-scheme", value="dark")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", dict(features=[wish]))
    assert ground(driver) == dark
    click(driver, "Light")
    assert ground(driver) == light
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", dict(features=[]))


VIEWS = ("", "task=threeBits", "task=latch", "task=adding1997", "task=order1997", "view=compare", "view=runs")


@pytest.mark.parametrize("view", VIEWS)
def test_on_a_phone_nothing_scrolls_sideways(view, page):
    driver = page(view, PHONE)
    if view == "view=runs":
        find(driver, "#runs tbody .open").click()
    if view == "view=compare":
        find(driver, ".point").click()
    for summary in find_all(driver, "main section:not([hidden]) summary"):
        driver.execute_script("arguments[0].parentNode.open = true", summary)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("theme", ("light", "dark"))
@pytest.mark.parametrize("view", VIEWS)
def test_everything_has_a_name_and_can_be_read(view, theme, page):
    """Every control has a name in the accessibility tree; text has a contrast of 4.5."""
    driver = page(f"{view}&theme={theme}")
    driver.execute_cdp_cmd("Accessibility.enable", {})
    nodes = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    controls = [node for node in nodes if not node["ignored"] and node["role"]["value"] in (
        "button", "link", "checkbox", "radio", "slider", "spinbutton", "combobox", "textbox", "searchbox", "image")]
    assert len(controls) > 10
    assert [node["role"]["value"] for node in controls if not node.get("name", {}).get("value")] == []
    assert driver.execute_script(CONTRAST) == []


CONTRAST = """
    const parts = (colour) => colour.match(/[0-9.]+/g).map(Number);
    const light = (colour) => {
      const linear = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
      const [r, g, b] = parts(colour).slice(0, 3).map((c) => linear(c / 255));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
      for (let each = element; each; each = each.parentElement) {
        const colour = getComputedStyle(each).backgroundColor;
        if (parts(colour)[3] !== 0) return colour;
      }
      return 'rgb(255, 255, 255)';
    };
    const found = new Set();
    for (const element of document.querySelectorAll('header *, main section:not([hidden]) *')) {
      const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
      if (!text || !element.checkVisibility() || element.closest('option, .handle, .unseen')) continue;
      const drawn = element.namespaceURI.endsWith('svg');
      if (drawn && /fill:/.test(element.getAttribute('style') || '')) continue;
      const style = getComputedStyle(element);
      const own = drawn ? style.fill : style.color;
      const ground = behind(drawn ? element.closest('div') : element);
      const [a, b] = [light(own), light(ground)].sort((x, y) => y - x);
      if ((a + 0.05) / (b + 0.05) < 4.5) found.add(`${element.outerHTML.slice(0, 60)}: ${own} on ${ground}`);
    }
    return [...found];
"""


# --------------------------------------------------------------------------------------------------
# The picture of the front page
# --------------------------------------------------------------------------------------------------

def test_the_screenshot_of_the_front_page_is_of_this_page(driver):
    import imageio.v3 as iio

    taken = iio.imread(chromium.screenshot(driver))[:, :, :3].astype(float)
    committed = iio.imread(chromium.ROOT / "viz" / "explorer.png")[:, :, :3].astype(float)
    assert taken.shape == committed.shape == (chromium.FRONT["height"], chromium.FRONT["width"], 3)

    def coarse(picture):  # by squares of 20 pixels, so that another font's edges do not count
        height, width = (size // 20 * 20 for size in picture.shape[:2])
        return picture[:height, :width].reshape(height // 20, 20, width // 20, 20, 3).mean((1, 3))

    other_fonts = 0 if os.environ.get("REQUIRE_BROWSER") else 20  # lines may break elsewhere
    assert abs(coarse(taken) - coarse(committed)).mean() < 5 + other_fonts
    assert (chromium.ROOT / "viz" / "explorer.png").stat().st_size < 400_000
