// SPDX-License-Identifier: BSD-2-Clause
// The map: who stands on whom, in layers. Each stands above all that it stands on.
"use strict";

const map = {tree: [], ground: new Set(), edges: [], nodes: new Map(), shown: ""};

// Those on whom most stand are said once: their lines would cover all others.
function mapTake(tree) {
    map.tree = tree;
    map.ground = new Set(tree.filter(row => new Set(row.carries.map(link => link.name)).size * 2 > tree.length).map(row => row.name));
    map.shown = "";
}

function mapBelow(name, names) {
    const row = map.tree.find(one => one.name === name);
    return row ? [...new Set(row.stands_on.map(link => link.name))].filter(below => names.has(below) && !map.ground.has(below)) : [];
}

// How many layers there are below each; who is in a ring counts once.
function mapDepths(names) {
    const depths = new Map(), under = new Set();
    const depth = name => {
        if (depths.has(name) || under.has(name))
            return depths.get(name) ?? 0;
        under.add(name);
        const found = 1 + Math.max(-1, ...mapBelow(name, names).map(depth));
        under.delete(name);
        depths.set(name, found);
        return found;
    };
    names.forEach(depth);
    return depths;
}

function mapBuild(target, services, choose) {
    const names = new Set(services.map(service => service.name)), shown = [...names].join(" ");
    if (shown === map.shown || !map.tree.length)
        return;
    map.shown = shown;
    const depths = mapDepths(new Set([...names].filter(name => !map.ground.has(name)))), layers = [];
    for (const [name, depth] of depths)
        (layers[depth] ??= []).push(name);
    map.nodes.clear();
    const rows = layers.filter(Boolean).reverse();
    rows.push([...map.ground].filter(name => names.has(name)));
    const lines = target.querySelector("svg");
    target.replaceChildren(lines, ...rows.map(row => html("div", {class: "row"}, ...row.map(name => {
        const dot = html("span", {class: "dot"}), count = html("span", {class: "count"});
        const button = html("button", {class: "node", "aria-pressed": "false"}, dot, name, count);
        button.addEventListener("click", () => choose(name));
        map.nodes.set(name, {button, dot, count});
        return button;
    }))));
    map.edges = [...depths.keys()].flatMap(from => mapBelow(from, names).map(to => [from, to]));
    document.getElementById("ground").textContent = map.ground.size ? `All stand on ${[...map.ground].filter(name => names.has(name)).join(" and ")}.` : "";
}

function mapUpdate(services, chosen, dotClass) {
    for (const service of services) {
        const node = map.nodes.get(service.name);
        if (!node)
            continue;
        node.dot.className = "dot " + dotClass(service);
        node.count.textContent = service.restarts ? `×${service.restarts}` : "";
        node.button.setAttribute("aria-pressed", String(service.name === chosen));
        node.button.title = `${service.name}: ${service.state}. ${service.description}`;
    }
}

function mapFlash(name) {
    const button = map.nodes.get(name)?.button;
    if (!button)
        return;
    button.classList.remove("flash");
    void button.offsetWidth; // so that it begins anew
    button.classList.add("flash");
}

function mapLines(target, chosen) {
    const lines = target.querySelector("svg"), place = target.getBoundingClientRect();
    const box = name => map.nodes.get(name)?.button.getBoundingClientRect();
    const paths = [];
    for (const [from, to] of map.edges) {
        const a = box(from), b = box(to);
        if (!a || !b)
            continue;
        const x1 = a.left + a.width / 2 - place.left, y1 = a.bottom - place.top, x2 = b.left + b.width / 2 - place.left, y2 = b.top - place.top;
        const kind = from === chosen ? "down" : to === chosen ? "up" : "";
        const bend = Math.max(12, (y2 - y1) / 2);
        paths.push([kind, svg("path", {d: `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`, class: kind})]);
    }
    paths.sort((a, b) => (a[0] !== "") - (b[0] !== "")); // those of the chosen one above the others
    lines.replaceChildren(...paths.map(path => path[1]));
}
