// SPDX-License-Identifier: BSD-2-Clause
// What is drawn: the timeline, the rates, the histogram, the steps of recoveries. Nothing here asks the system.
"use strict";

const WINDOW_MS = 60000; // what is shown of the past
const LANES = 8; // services in the timeline
const STEP_NAMES = ["decided", "stopped", "spawned", "ready", "published"]; // after "detected"

function svg(name, attributes, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes))
        element.setAttribute(key, value);
    if (text !== undefined)
        element.textContent = text;
    return element;
}

function html(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes))
        element.setAttribute(key, value);
    element.append(...children);
    return element;
}

// Three digits that count, with a unit.
function inDigits(value) {
    return value >= 99.5 ? value.toFixed(0) : value >= 9.95 ? value.toFixed(1) : value.toFixed(2);
}

function duration(us) {
    if (us < 1000)
        return us.toFixed(0) + " µs";
    return us < 1e6 ? inDigits(us / 1000) + " ms" : inDigits(us / 1e6) + " s";
}

function bytes(count) {
    if (count < 1e6)
        return inDigits(count / 1e3) + " kB";
    return count < 1e9 ? inDigits(count / 1e6) + " MB" : inDigits(count / 1e9) + " GB";
}

// µs from the death until it was ready; undefined: it is not back.
function recoveryTime(event) {
    const [detected, , , , ready] = event.steps_ns;
    return ready ? Math.max(0, ready - detected) / 1000 : undefined;
}

function deathMs(event) {
    return event.steps_ns[0] / 1e6;
}

// ---- the axis of time, which ends now ----

function timeAxis(target, left, width, height, now) {
    const every = width < 420 ? 20 : 10; // s
    for (let s = WINDOW_MS / 1000; s >= 0; s -= every) {
        const x = left + width * (1 - s * 1000 / WINDOW_MS);
        const anchor = s === 0 ? "end" : "middle";
        target.append(svg("line", {x1: x, x2: x, y1: height, y2: height + 4, class: "axis"}));
        target.append(svg("text", {x, y: height + 15, "text-anchor": anchor}, s === 0 ? "now" : `−${s} s`));
    }
    target.append(svg("line", {x1: left, x2: left + width, y1: height, y2: height, class: "axis"}));
    return ms => left + width * Math.min(1, Math.max(0, 1 - (now - ms) / WINDOW_MS));
}

function inWindow(events, now) {
    return events.filter(event => deathMs(event) > now - WINDOW_MS);
}

function drawTimeline(target, events, now) {
    const left = 92, width = target.clientWidth - left - 8, height = target.clientHeight - 20;
    const shown = inWindow(events, now);
    const names = [...new Set(shown.map(event => event.service).reverse())]; // who has died last comes first
    const lanes = names.slice(0, LANES).sort(), lane = height / Math.max(lanes.length, 3);
    target.replaceChildren();
    if (width < 50)
        return;
    const at = timeAxis(target, left, width, height, now);
    lanes.forEach((name, i) => {
        const y = lane * (i + .5);
        target.append(svg("line", {x1: left, x2: left + width, y1: y, y2: y, class: "lane"}),
            svg("text", {x: left - 8, y: y + 4, "text-anchor": "end", class: "name"}, name));
    });
    for (const event of shown) {
        const i = lanes.indexOf(event.service), us = recoveryTime(event), x = at(deathMs(event)), y = lane * (i + .5);
        if (i < 0)
            continue;
        const end = us === undefined ? left + width : Math.max(at(deathMs(event) + us / 1000), x + 4);
        const mark = svg("g", {}), said = us === undefined ? "not back yet" : `${event.how} after ${duration(us)}`;
        mark.append(svg("title", {}, `${event.service}: ${event.defect}, ${said}`),
            svg("rect", {x, y: y - 5, width: end - x, height: 10, class: us === undefined ? "gone" : "back"}),
            svg("path", {d: `M${x - 5} ${y - 14}h10l-5 8z`, class: "dead"}));
        target.append(mark);
    }
    const more = names.length - lanes.length;
    document.getElementById("time-text").textContent = shown.length
        ? `${shown.length} ${shown.length === 1 ? "death" : "deaths"} in the last minute` + (more ? `, of ${more} more services than are shown` : "")
        : "Nobody has died in the last minute. Choose a service, and kill it.";
}

// ---- throughput ----

// [ms, bytes a second] of a column of the samples; over two of them, since the clock that takes them is coarse
function rates(samples, column) {
    const points = [];
    for (let i = 2; i < samples.length; i++) {
        const seconds = (samples[i][1] - samples[i - 2][1]) / 1000;
        points.push([samples[i][1], seconds > 0 ? (samples[i][column] - samples[i - 2][column]) / seconds : 0]);
    }
    return points;
}

// The least of 1, 2, 5, 10... times a power of ten that is not below.
function niceAbove(value) {
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 5, 10].map(n => n * power).find(n => n >= value * .999);
}

function drawRates(target, samples, columns, events, now) {
    const left = 62, width = target.clientWidth - left - 8, height = target.clientHeight - 20;
    const shown = samples.filter(sample => sample[1] > now - WINDOW_MS - 600);
    const curves = columns.map(column => rates(shown, column).filter(point => point[0] > now - WINDOW_MS));
    const top = niceAbove(Math.max(1e6, ...curves.flat().map(point => point[1])));
    target.replaceChildren();
    if (width < 50)
        return;
    const at = timeAxis(target, left, width, height, now);
    for (const part of [.5, 1]) {
        const y = height * (1 - part);
        target.append(svg("line", {x1: left, x2: left + width, y1: y, y2: y, class: "lane"}),
            svg("text", {x: left - 6, y: y + 9, "text-anchor": "end"}, `${top * part / 1e6} MB/s`));
    }
    for (const event of inWindow(events, now)) {
        const x = at(deathMs(event));
        target.append(svg("line", {x1: x, x2: x, y1: 0, y2: height, class: "death"}));
    }
    curves.forEach((curve, i) => {
        const points = curve.map(([ms, rate]) => `${at(ms).toFixed(1)},${(height * (1 - rate / top)).toFixed(1)}`);
        if (points.length < 2)
            return;
        if (i === 0)
            target.append(svg("path", {d: `M${at(curve[0][0])},${height}L${points.join("L")}L${at(curve.at(-1)[0])},${height}z`, class: "fill"}));
        target.append(svg("path", {d: "M" + points.join("L"), class: i ? "out" : "in"}));
    });
    return curves.map(curve => curve.length ? curve.at(-1)[1] : 0);
}

// ---- recovery times ----

const BUCKETS = [10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6]; // µs: their ends; the last has none
const BUCKET_LABELS = ["10µs", "", "100µs", "", "1ms", "", "10ms", "", "100ms", "", "1s"];

function drawHistogram(target, events) {
    const times = events.map(recoveryTime).filter(us => us !== undefined).sort((a, b) => a - b);
    const counts = new Array(BUCKETS.length + 1).fill(0);
    const width = target.clientWidth - 8, height = target.clientHeight - 18, step = width / counts.length;
    for (const us of times)
        counts[BUCKETS.findIndex(end => us < end) < 0 ? BUCKETS.length : BUCKETS.findIndex(end => us < end)]++;
    const most = Math.max(1, ...counts);
    target.replaceChildren(svg("line", {x1: 0, x2: width, y1: height, y2: height, class: "axis"}));
    counts.forEach((count, i) => {
        const tall = (height - 14) * count / most, x = step * i;
        if (count)
            target.append(svg("rect", {x: x + 1, y: height - tall, width: Math.max(1, step - 2), height: tall, class: "bar", rx: 1}),
                svg("text", {x: x + step / 2, y: height - tall - 3, "text-anchor": "middle"}, count));
        if (BUCKET_LABELS[i])
            target.append(svg("text", {x: x + step, y: height + 14, "text-anchor": i === BUCKETS.length - 1 ? "end" : "middle"}, BUCKET_LABELS[i]));
    });
    const at = part => duration(times[Math.min(times.length - 1, Math.floor(times.length * part))]);
    document.getElementById("histogram-text").textContent = times.length
        ? `Of the last ${times.length}: half within ${at(.5)}, 99 of 100 within ${at(.99)}, the longest ${duration(times.at(-1))}.`
        : "Nobody has come back yet, since nobody has died.";
}

// ---- steps ----

function drawStepKey(target) {
    target.replaceChildren(...STEP_NAMES.map((name, i) => html("span", {class: "entry"}, html("span", {class: `mark s${i + 1}`}), name)));
}

function stepsOf(event) {
    const steps = [];
    let before = event.steps_ns[0];
    STEP_NAMES.forEach((name, i) => {
        const ns = event.steps_ns[i + 1];
        if (ns) {
            steps.push([i + 1, name, Math.max(0, ns - before) / 1000]);
            before = Math.max(before, ns);
        }
    });
    return steps;
}

function drawSteps(target, events, count) {
    target.replaceChildren(...events.slice(-count).reverse().map(event => {
        const us = recoveryTime(event), stack = html("span", {class: "stack"}), steps = stepsOf(event);
        for (const [n, name, took] of steps) {
            const part = html("i", {class: `s${n}`, title: `${name}: ${duration(took)}`});
            part.style.flexGrow = Math.max(took, .1);
            stack.append(part);
        }
        const said = html("span", {}, html("b", {}, event.service), " ", html("span", {class: "soft"}, `${event.defect}, ${event.how === "-" ? "not back yet" : event.how} · at ${(deathMs(event) / 1000).toFixed(2)} s`));
        const took = html("b", {}, us === undefined ? "…" : duration(us));
        stack.setAttribute("role", "img");
        stack.setAttribute("aria-label", steps.map(([, name, time]) => `${name} ${duration(time)}`).join(", "));
        return html("li", {}, said, took, stack);
    }));
    if (!events.length)
        target.append(html("li", {class: "soft"}, "None yet."));
}
