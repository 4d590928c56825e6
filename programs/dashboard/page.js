// SPDX-License-Identifier: BSD-2-Clause
// Asks the system again and again for what is new, shows it, and sends orders.
"use strict";

const POLL_MS = 400, HIDDEN_MS = 3000, RETRY_MS = 1000, PATIENCE_MS = 4000;
const EVENTS_MOST = 512, LOG_MOST = 500, STEPS_SHOWN = 9;

const state = {
    boot: "", now: 0, services: [], before: new Map(), events: new Map(), samples: [], log: [],
    logNext: 0, ratesNext: 0, chosen: "", sort: {key: "name", up: true},
};
const at = id => document.getElementById(id);

// (location.origin has no password in it, though the page's address may; fetch refuses those that have.)
function ask(path, method = "GET") {
    return fetch(location.origin + path, {method, cache: "no-store", headers: {"X-Bardo": "1"}, signal: AbortSignal.timeout(PATIENCE_MS)});
}

// ---- what comes ----

// From the first death on that is not over, since its steps are still being taken.
function eventsFrom() {
    let from = 0;
    for (const event of state.events.values()) {
        if (!event.steps_ns[5] && event.steps_ns[0] / 1e6 > state.now - 60000)
            return event.number;
        from = event.number + 1;
    }
    return from;
}

function forgetAll(boot) {
    Object.assign(state, {boot, services: [], samples: [], log: [], logNext: 0, ratesNext: 0});
    state.events.clear();
    state.before.clear();
    at("log").replaceChildren();
}

function announce(event) {
    const us = recoveryTime(event);
    at("news").append(html("span", {}, us === undefined ? `${event.service} died: ${event.defect}. ` : `${event.service} is back after ${duration(us)}. `));
    while (at("news").childElementCount > 5)
        at("news").firstChild.remove();
}

function takeEvents(events, isFirst) {
    for (const event of events) {
        const known = state.events.get(event.number);
        state.events.set(event.number, event);
        if (isFirst)
            continue;
        if (!known)
            mapFlash(event.service);
        if (!known || (recoveryTime(known) === undefined && recoveryTime(event) !== undefined))
            announce(event);
    }
    while (state.events.size > EVENTS_MOST)
        state.events.delete(state.events.keys().next().value);
}

// CPU and messages a second are those of the last second or so; another incarnation counts from 0.
function takeServices(services) {
    for (const service of services) {
        let last = state.before.get(service.name);
        const took = last ? state.now - last.at : 0, isSame = last?.pid === service.pid;
        if (!isSame || took >= 1000) {
            last = {
                at: state.now, pid: service.pid, cpu_ms: service.cpu_ms, messages: service.messages,
                cpu: isSame ? Math.max(0, service.cpu_ms - last.cpu_ms) / took * 100 : 0,
                rate: isSame ? Math.max(0, service.messages - last.messages) / took * 1000 : 0,
            };
            state.before.set(service.name, last);
        }
        service.cpu = last.cpu;
        service.message_rate = last.rate;
    }
    state.services = services;
}

function take(said) {
    const isFirst = state.boot !== said.boot;
    if (isFirst && state.boot) {
        forgetAll(said.boot);
        loadTree();
        return; // what was asked for was where the other one had been
    }
    state.boot = said.boot;
    state.now = said.now_ms;
    if (said.services)
        takeServices(said.services);
    if (said.events)
        takeEvents(said.events, isFirst);
    state.samples = state.samples.concat(said.rates).slice(-300);
    state.ratesNext = said.rates_next;
    state.logNext = said.log_next;
    if (said.log.length) {
        state.log = state.log.concat(said.log).slice(-LOG_MOST);
        showLog();
    }
    if (!state.chosen)
        choose((state.services.find(one => one.class === "net" && one.state === "up") ?? state.services[0])?.name ?? "");
    show();
}

// ---- what is shown ----

const AWAY = new Set(["starting", "backoff", "policy", "given-up", "broken", "held"]);

function isIdle(service) {
    return ["no-device", "down", "refused"].includes(service.state) && !service.restarts;
}

function dotClass(service) {
    if (service.state === "up")
        return "up-now";
    return service.state === "slow" ? "slow-now" : AWAY.has(service.state) ? "away-now" : "off-now";
}

function showSummary() {
    const count = test => state.services.filter(test).length, s = Math.floor(state.now / 1000);
    const facts = [["up since", `${Math.floor(s / 3600)}:${String(Math.floor(s / 60) % 60).padStart(2, "0")}:${String(s % 60).padStart(2, "0")}`],
        ["services up", count(one => one.state === "up" || one.state === "slow")], ["away", count(one => AWAY.has(one.state))],
        ["deaths", state.services.reduce((sum, one) => sum + one.restarts, 0)],
        ["processor time of services", Math.min(100, state.services.reduce((sum, one) => sum + one.cpu, 0)).toFixed(0) + " %"]];
    at("summary").replaceChildren(...facts.map(([name, value]) => html("span", {}, `${name} `, html("b", {}, String(value)))));
}

function showChosen() {
    const service = state.services.find(one => one.name === state.chosen);
    if (!service)
        return;
    at("chosen-name").replaceChildren(html("span", {class: "dot " + dotClass(service)}), service.name);
    at("chosen-what").textContent = `${service.description} (${service.state})`;
    const facts = [["pid", service.pid], ["deaths", service.restarts], ["last", service.last_defect], ["recovery", service.restarts ? duration(service.recovery_mean_us) : "–"],
        ["CPU", service.cpu.toFixed(1) + " %"], ["memory", bytes(service.memory_kb * 1024)]];
    at("chosen-facts").replaceChildren(...facts.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, String(value))]));
}

const COLUMNS = [
    {key: "name", title: "Service", left: true, up: true},
    {key: "state", title: "State", left: true, up: true},
    {key: "restarts", title: "Deaths"},
    {key: "last_defect", title: "Last", left: true, up: true, text: one => one.last_defect === "none" ? "–" : one.last_defect},
    {key: "recovery_mean_us", title: "Recovery", text: one => one.recovery_mean_us ? duration(one.recovery_mean_us) : "–"},
    {key: "cpu", title: "CPU", text: one => one.cpu.toFixed(1) + " %"},
    {key: "memory_kb", title: "Memory", text: one => bytes(one.memory_kb * 1024)},
    {key: "message_rate", title: "Messages/s", text: one => one.message_rate.toFixed(0)},
    {key: "description", title: "What it is", left: true, up: true, grows: true},
];

function buildColumns() {
    at("columns").replaceChildren(...COLUMNS.map(column => {
        const button = html("button", {}, column.title), cell = html("th", {scope: "col", class: (column.left ? "left " : "") + (column.grows ? "grows" : "")}, button);
        button.addEventListener("click", () => {
            state.sort = {key: column.key, up: state.sort.key === column.key ? !state.sort.up : !!column.up};
            showTable();
        });
        column.cell = cell;
        return cell;
    }), html("th", {scope: "col"}, html("span", {class: "unseen"}, "Orders")));
}

function listed() {
    const wanted = at("filter").value.trim().toLowerCase(), {key, up} = state.sort;
    const compare = (a, b) => typeof a[key] === "string" ? a[key].localeCompare(b[key]) : a[key] - b[key];
    return state.services.filter(one => at("all").checked || !isIdle(one))
        .filter(one => !wanted || (one.name + " " + one.description + " " + one.state).toLowerCase().includes(wanted))
        .sort((a, b) => (up ? 1 : -1) * compare(a, b) || a.name.localeCompare(b.name));
}

const tableRows = new Map(); // they are kept, and the focus with them

function rowOf(name) {
    if (tableRows.has(name))
        return tableRows.get(name);
    const dot = html("span", {class: "dot"}), pick = html("button", {class: "pick"}, dot, name);
    const cells = COLUMNS.map((column, i) => html("td", {class: (column.left ? "left " : "") + (column.grows ? "grows" : "")}, ...(i ? [] : [pick])));
    const kill = html("button", {class: "danger", "aria-label": `Kill ${name}`}, "Kill"), restart = html("button", {"aria-label": `Restart ${name}`}, "Restart");
    pick.addEventListener("click", () => choose(name));
    kill.addEventListener("click", () => order("kill", name));
    restart.addEventListener("click", () => order("restart", name));
    const row = {element: html("tr", {}, ...cells, html("td", {}, kill, " ", restart)), cells, dot};
    tableRows.set(name, row);
    return row;
}

function showTable() {
    const services = listed(), body = at("rows");
    for (const column of COLUMNS) {
        if (column.key === state.sort.key)
            column.cell.setAttribute("aria-sort", state.sort.up ? "ascending" : "descending");
        else
            column.cell.removeAttribute("aria-sort");
    }
    services.forEach((service, i) => {
        const row = rowOf(service.name);
        COLUMNS.forEach((column, k) => {
            const text = String(column.text ? column.text(service) : service[column.key]);
            if (k && row.cells[k].textContent !== text)
                row.cells[k].textContent = text;
        });
        row.dot.className = "dot " + dotClass(service);
        row.element.classList.toggle("is-chosen", service.name === state.chosen);
        if (body.children[i] !== row.element)
            body.insertBefore(row.element, body.children[i] ?? null);
    });
    while (body.childElementCount > services.length)
        body.lastChild.remove();
}

// A line is about who has written it, or whom rs has written it about.
function isAbout(line, name) {
    const text = line.replace(/^\[[^\]]*\] /, "");
    return text.startsWith(name + ":") || text.startsWith(`rs: ${name}:`) || /^dev: dashboard: \w+ (\S+)/.exec(text)?.[1].replace(/:$/, "") === name;
}

function showLog() {
    const log = at("log"), isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
    log.textContent = state.log.filter(line => !at("log-chosen").checked || isAbout(line, state.chosen)).join("\n");
    if (isAtEnd)
        log.scrollTop = log.scrollHeight;
}

function show() {
    const events = [...state.events.values()], running = state.services.filter(one => !isIdle(one));
    showSummary();
    showChosen();
    showTable();
    drawTimeline(at("timeline"), events, state.now);
    [[at("network"), [2, 3], "net"], [at("disks"), [4, 5], "disk"]].forEach(([target, columns, name]) => {
        const now = drawRates(target, state.samples, columns, events, state.now) ?? [0, 0];
        at(name + "-in").textContent = bytes(now[0]) + "/s";
        at(name + "-out").textContent = bytes(now[1]) + "/s";
    });
    drawHistogram(at("histogram"), events);
    drawSteps(at("steps"), events, STEPS_SHOWN);
    mapBuild(at("map"), running, choose);
    mapUpdate(running, state.chosen, dotClass);
    mapLines(at("map"), state.chosen);
}

// ---- what is done ----

function choose(name) {
    state.chosen = name;
    at("answer").textContent = "";
    if (state.services.length)
        show();
    if (at("log-chosen").checked)
        showLog();
}

function say(text, isBad) {
    at("answer").textContent = text;
    at("answer").classList.toggle("bad", isBad);
}

async function order(verb, name) {
    if (name !== state.chosen)
        choose(name);
    say(`${verb} ${name} …`, false);
    try {
        const answer = await ask(`/api/${verb}/${encodeURIComponent(name)}`, "POST");
        const said = await answer.json();
        say(answer.ok ? `${verb} ${name}: done` : `${verb} ${name}: ${said.error}`, !answer.ok);
    } catch (error) {
        say(`${verb} ${name}: no answer`, true);
    }
}

function step(by) {
    const names = listed().map(one => one.name), i = names.indexOf(state.chosen);
    if (names.length)
        choose(names[(i + by + names.length) % names.length]);
}

function onKey(event) {
    const keys = {k: () => order("kill", state.chosen), r: () => order("restart", state.chosen), n: () => step(1), p: () => step(-1), "/": () => at("filter").focus()};
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.target.matches("input"))
        return;
    const run = keys[event.key.toLowerCase()];
    if (run) {
        event.preventDefault();
        run();
    }
}

// ---- the connection ----

function showLink(good, text) {
    at("link").className = "link " + (good ? "good" : "bad");
    if (at("link").textContent !== (good ? "live" : "no connection"))
        at("link").textContent = good ? "live" : "no connection";
    at("lost").hidden = good;
    if (!good && at("lost").textContent !== text)
        at("lost").textContent = text;
}

async function loadTree() {
    try {
        const answer = await ask("/api/tree");
        if (answer.ok)
            mapTake(await answer.json());
    } catch (error) {
        // with the next poll
    }
}

async function poll() {
    let wait = document.hidden ? HIDDEN_MS : POLL_MS;
    try {
        if (!map.tree.length)
            await loadTree();
        const answer = await ask(`/api/status?events=${eventsFrom()}&log=${state.logNext}&rates=${state.ratesNext}`);
        if (answer.status === 401) {
            showLink(false, "The system wants another password now: it was booted again. Load this page anew.");
            return;
        }
        take(await answer.json());
        showLink(true, "");
    } catch (error) {
        showLink(false, "No answer from the system: what is shown is old. Trying again…");
        wait = RETRY_MS;
    }
    setTimeout(poll, wait);
}

buildColumns();
drawStepKey(at("steps-key"));
at("kill").addEventListener("click", () => order("kill", state.chosen));
at("restart").addEventListener("click", () => order("restart", state.chosen));
at("filter").addEventListener("input", showTable);
at("all").addEventListener("change", showTable);
at("log-chosen").addEventListener("change", showLog);
document.addEventListener("keydown", onKey);
window.addEventListener("resize", () => state.services.length && show());
poll();
