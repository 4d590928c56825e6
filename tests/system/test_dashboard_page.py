# SPDX-License-Identifier: BSD-2-Clause
"""The dashboard's page in headless Chromium: kills by key and by mouse while network and disk are busy, its looks, and what is below it dying."""
import pytest

from browser import browser
from dashboardhost import dashboard
from hostnet import served

BELOW = ["net", "vfs", "proc", "dev", "pm", "rs"]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page over a system with a disk that downloads for ever: (browser, dashboard)"""
    folder = tmp_path_factory.mktemp("page")
    url, _ = served(folder, 4)
    with (folder / "disk").open("wb") as disk:
        disk.truncate(64 << 20)
    with browser() as window, dashboard(folder, "--disk", str(folder / "disk")) as system:
        system.type(f"while :; do wget -q -O /dev/null {url}; done &")
        window.open(f"http://bardo:{system.password}@127.0.0.1:{system.port}/")
        window.wait("state.services.length > 20 && map.nodes.size > 10 && document.querySelectorAll('#rows tr').length > 10")
        yield window, system


def received(window):
    return window.evaluate("state.samples.at(-1)[2]")


def test_kill_by_key(page):
    """K kills the chosen service: its death and its return are in the timeline, with their steps, and the transfer goes on."""
    window, system = page
    window.evaluate("choose('e1000')")
    before = window.evaluate("state.events.size")
    window.press("k")
    window.wait(f"state.events.size > {before} && [...state.events.values()].at(-1).how !== '-'")
    event = window.evaluate("[...state.events.values()].at(-1)")
    assert (event["service"], event["defect"]) == ("e1000", "killed") and event["number"] == system.deaths("e1000")[-1]["number"]
    window.wait("/e1000: killed, (adopted|reset) after/.test(document.querySelector('#timeline').textContent)")
    assert window.evaluate("document.querySelector('#timeline .dead') && document.querySelector('#timeline .back') && document.querySelector('#network .death') ? 1 : 0")
    window.wait("/^e1000 killed, (adopted|reset)/.test(document.querySelector('#steps li').textContent)")
    steps = window.evaluate("document.querySelector('#steps .stack').ariaLabel")
    assert all(name in steps for name in ("decided", "stopped", "spawned", "ready")), steps
    assert window.evaluate("document.querySelector('#histogram .bar') && document.querySelector('#answer').textContent") == "kill e1000: done"
    assert "e1000 is back after" in window.evaluate("document.querySelector('#news').textContent")
    window.wait("document.querySelector('#log').textContent.includes('dashboard: kill e1000')")
    now = received(window)
    window.wait(f"state.samples.at(-1)[2] > {now} + 6e6")  # more than one file of it: connections begin, too
    assert window.evaluate("document.querySelector('#network path.in').getAttribute('d').split('L').length") > 5


def test_buttons(page):
    """By mouse, in the table and beside it; what the system refuses is said."""
    window, system = page
    before = len(system.deaths("null"))
    window.click('button[aria-label="Restart null"]')
    window.wait("document.querySelector('#chosen-name').textContent === 'null' && document.querySelector('#answer').textContent === 'restart null: done'")
    assert system.wait_for_return("null", before + 1)["defect"] == "update"
    window.wait("[...document.querySelectorAll('#rows tr')].find(row => row.textContent.startsWith('null')).textContent.includes('update')")
    window.evaluate("choose('vfs')")
    window.click("#restart")
    window.wait("document.querySelector('#answer.bad')?.textContent.includes('not permitted')")


def last_death(window, name):
    """Of the deaths of that service that the page knows, and from which it is back: (how many, what the last was)"""
    return window.evaluate(f"(d => [d.length, d.at(-1)?.defect])([...state.events.values()].filter(e => e.service === '{name}' && e.how !== '-'))")


@pytest.mark.parametrize("button", ['button[aria-label="Kill null"]', "#kill"])
def test_kill_buttons(page, button):
    """The one of the table's row, which chooses the service, and the one beside the chosen: each kills it, and the page shows both the death and the return."""
    window, system = page
    before, _ = last_death(window, "null")
    deaths = len(system.deaths("null"))
    window.evaluate("choose('null')" if button == "#kill" else "choose('vfs')")
    window.click(button)
    window.wait("document.querySelector('#chosen-name').textContent === 'null' && document.querySelector('#answer').textContent === 'kill null: done'")
    window.wait(f"[...state.events.values()].filter(e => e.service === 'null' && e.how !== '-').length > {before}")
    assert last_death(window, "null") == [before + 1, "killed"]
    assert len(system.deaths("null")) == deaths + 1 and system.deaths("null")[-1]["defect"] == "killed", "it has died of one click"
    window.wait("[...document.querySelectorAll('#rows tr')].find(row => row.textContent.startsWith('null')).textContent.includes('killed')")
    window.wait("/null: killed, (adopted|reset) after/.test(document.querySelector('#timeline').textContent)")


def test_curve_of_the_disk(page):
    """What is read is a curve, with its figure, also of a disk whose driver is killed meanwhile by its button; what is written is another."""
    window, system = page
    #  how many pixels a curve rises above the axis
    high = "(kind => { const at = document.querySelector('#disks'), d = at.querySelector('path.' + kind)?.getAttribute('d'); " \
           "return d ? at.clientHeight - 20 - Math.min(...d.slice(1).split('L').map(point => +point.split(',')[1])) : 0; })"
    assert window.evaluate(f"{high}('in')") < 1 and window.evaluate("document.querySelector('#disk-in').textContent") == "0.00 kB/s", "nobody reads yet"
    system.type("while [ ! -e /tmp/enough ]; do cat /dev/sda; done >/dev/null &")
    window.wait(f"{high}('in') > 20 && /^[1-9][0-9.]* MB/.test(document.querySelector('#disk-in').textContent)")
    assert window.evaluate(f"{high}('out')") < 1, "nobody writes"
    before, _ = last_death(window, "ahci")
    window.click('button[aria-label="Kill ahci"]')
    window.wait(f"[...state.events.values()].filter(e => e.service === 'ahci' && e.how !== '-').length > {before} && !!document.querySelector('#disks .death')")
    now = window.evaluate("state.samples.at(-1)[4]")
    window.wait(f"state.samples.at(-1)[4] > {now} + 20e6")
    system.type("touch /tmp/enough; dd if=/dev/zero of=/dev/sda bs=1M count=60 2>/dev/null")
    window.wait(f"{high}('out') > 5")


def test_keys(page):
    """All of it without a mouse."""
    window, _ = page
    window.evaluate("document.activeElement.blur(); choose(listed()[0].name)")
    first = window.evaluate("state.chosen")
    window.press("n")
    assert window.evaluate("state.chosen") != first
    window.press("p")
    assert window.evaluate("state.chosen") == first
    window.press("/")
    for letter in "e1000":
        window.press(letter)
    assert window.evaluate("document.activeElement.id") == "filter" and window.evaluate("listed().map(one => one.name)") == ["e1000"]
    deaths = window.evaluate("state.events.size")
    window.press("k")  # there it is a letter
    assert window.evaluate("document.querySelector('#filter').value") == "e1000k" and window.evaluate("state.events.size") == deaths
    window.evaluate("document.querySelector('#filter').value = ''; showTable(); document.querySelector('.skip').focus()")
    window.call("Page.bringToFront")
    seen = {"skip"}
    for _ in range(100):
        window.press("Tab")
        seen.add(window.evaluate("document.activeElement.id || document.activeElement.classList[0] || document.activeElement.tagName"))
        outline = window.evaluate("document.activeElement === document.body ? 'solid' : getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", seen
    assert {"skip", "node", "kill", "restart", "filter", "all", "pick"} <= seen, seen
    window.evaluate("map.nodes.get('disk').button.focus()")
    window.press("Enter")
    assert window.evaluate("state.chosen") == "disk" and window.evaluate("map.nodes.get('disk').button.ariaPressed") == "true"
    assert window.evaluate("document.querySelectorAll('#map path.down').length") >= 1  # its driver


@pytest.mark.parametrize("width, dark", [(360, True), (800, False), (1440, True), (1440, False)])
def test_looks(page, tmp_path, width, dark):
    """Nothing beyond the window's edge, no label on another, letters that stand out from what is behind them."""
    window, _ = page
    window.resize(width, 900, dark)
    window.wait("new Promise(done => setTimeout(() => done(1), 600))")
    window.screenshot(tmp_path / "page.png", whole=True)
    assert window.too_wide() == []
    for drawing in ("#timeline", "#network", "#disks", "#histogram"):
        assert window.overlapping_texts(drawing) == [], drawing
    contrasts = window.evaluate("""(() => {
        const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
        const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!/, 0\\)$|transparent/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
        return [...document.querySelectorAll('h1, h2, p, b, dt, dd, label, td, th button, pre, kbd, footer, button:not(.flash)')].filter(e => e.textContent && e.offsetParent).map(e => {
            const a = light(getComputedStyle(e).color), b = light(behind(e)); return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.tagName + '.' + e.className + '#' + e.id]; }).sort((x, y) => x[0] - y[0]).slice(0, 5); })()""")
    assert contrasts[0][0] >= 4.5, contrasts  # WCAG 2.2, 1.4.3
    assert ("rgb(14" in window.evaluate("getComputedStyle(document.body).backgroundColor")) == dark


@pytest.mark.parametrize("name", BELOW)
def test_death_below(page, name):
    """Of all the page's connection runs through: it goes on showing, and shows that death."""
    window, system = page
    before = len(system.deaths(name))
    window.evaluate(f"order('kill', '{name}')")
    window.wait(f"[...state.events.values()].filter(e => e.service === '{name}' && e.how !== '-').length > {before}")
    now = window.evaluate("state.now")
    window.wait(f"state.now > {now} + 1000 && document.querySelector('#link').textContent === 'live' && document.querySelector('#lost').hidden")
    bytes_now = received(window)
    window.wait(f"state.samples.at(-1)[2] > {bytes_now} + 1e6")


def test_nothing_from_elsewhere(page):
    window, system = page
    ours, others = f"127.0.0.1:{system.port}/", ("data:", "about:")
    elsewhere = [url for url in window.requested() if ours not in url and not url.startswith(others)]
    assert elsewhere == [] and window.complaints() == []
    assert {"page.css", "page.js"} <= {url.partition(ours)[2] for url in window.requested()}, "what it loads is seen at all"


def test_connection_lost(page):
    """It says so, and goes on by itself; a system that was booted again has another password, which is said, too."""
    window, system = page
    system.type("killall -STOP dashboard; echo sto''pped")
    system.wait_for_output("\nstopped")
    window.wait("!document.querySelector('#lost').hidden && document.querySelector('#link').textContent === 'no connection'")
    system.type("killall -CONT dashboard; echo go''ne")
    system.wait_for_output("\ngone")
    window.wait("document.querySelector('#lost').hidden && document.querySelector('#link').textContent === 'live'")
    system.type("killall -9 dashboard; sleep 1; (dashboard --shown 1 >/tmp/again &); echo o''ther")
    system.wait_for_output("\nother")
    window.wait("document.querySelector('#lost').textContent.includes('another password')")
    assert window.evaluate("state.services.length") > 20  # what was known stays
