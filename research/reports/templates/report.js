"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const make = (tag, text, css) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (css) node.className = css;
    return node;
  };
  const svg = (tag, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };

  const shown = (value, unit) => {
    if (value === null) return "—";
    const digits = { level: 4, percent: 2, ratio: 2, count: 0 }[unit];
    const text = unit === "percent" ? (value * 100).toFixed(digits) + "%" : value.toFixed(digits);
    return text.replace("-", "−");
  };
  const tip = document.getElementById("tip");
  const attach = (picture) => {
    const chart = data.charts[picture.dataset.chart], cross = picture.querySelector(".cross");
    const [left, top, width, height] = chart.box, rows = chart.dates.length, log = "log" in picture.dataset;
    const scale = log ? Math.log : (v) => v;
    const [low, high] = chart.axis.map(scale);
    const leave = () => { cross.replaceChildren(); tip.hidden = true; };
    const move = (event) => {
      const area = picture.getBoundingClientRect();
      const x = (event.clientX - area.left) / area.width * picture.viewBox.baseVal.width;
      if (x < left - 8 || x > left + width + 8 || !rows) return leave();
      const share = Math.min(Math.max((x - left) / width, 0), 1);
      const row = chart.bars ? Math.min(Math.floor(share * rows), rows - 1) : Math.round(share * (rows - 1));
      const at = left + width * (chart.bars ? (row + 0.5) / rows : rows > 1 ? row / (rows - 1) : 0.5);
      const marks = [svg("line", { x1: at, x2: at, y1: top, y2: top + height })];
      const day = chart.bars ? chart.dates[row].slice(0, 7) : chart.dates[row];
      const lines = [make("b", day)];
      for (const trace of chart.traces) {
        const value = trace.values[row];
        const line = make("span", trace.label);
        line.append(make("i", shown(value, chart.unit)));
        lines.push(line);
        if (value === null || chart.bars) continue;
        const y = top + height - (scale(value) - low) / (high - low) * height;
        if (Number.isFinite(y)) marks.push(svg("circle", { cx: at, cy: y, r: 4, class: trace.css }));
      }
      cross.replaceChildren(...marks);
      tip.replaceChildren(...lines);
      tip.hidden = false;
      const flip = event.clientX + tip.offsetWidth + 28 > innerWidth;
      tip.style.left = (flip ? event.clientX - tip.offsetWidth - 14 : event.clientX + 14) + "px";
      tip.style.top = Math.max(8, event.clientY - tip.offsetHeight - 10) + "px";
    };
    picture.addEventListener("pointermove", move);
    picture.addEventListener("pointerleave", leave);
  };
  document.querySelectorAll("svg.chart").forEach(attach);

  const PAGE = 20;
  const page = (box) => {
    const rows = data.tables[box.dataset.table], body = box.querySelector("tbody");
    const numeric = [...box.querySelectorAll("thead th")].map((head) => head.className);
    const [back, on] = [box.querySelector(".back"), box.querySelector(".on")];
    let found = rows, first = 0;
    const draw = () => {
      body.replaceChildren(...found.slice(first, first + PAGE).map((cells) => {
        const row = make("tr");
        row.append(...cells.map((cell, column) => make("td", cell, numeric[column])));
        return row;
      }));
      const last = Math.min(first + PAGE, found.length);
      box.querySelector(".range").textContent = `${found.length ? first + 1 : 0}–${last} / ${found.length} ${data.rows}`;
      back.disabled = first === 0;
      on.disabled = last >= found.length;
    };
    box.querySelector("input").addEventListener("input", (event) => {
      const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      found = rows.filter((cells) => { const line = cells.join(" ").toLowerCase(); return words.every((w) => line.includes(w)); });
      first = 0;
      draw();
    });
    back.addEventListener("click", () => { first -= PAGE; draw(); });
    on.addEventListener("click", () => { first += PAGE; draw(); });
    draw();
  };
  document.querySelectorAll(".searchable").forEach(page);

  const root = document.documentElement;
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  document.getElementById("print").addEventListener("click", () => print());
})();
