"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const details = document.getElementById("details");
  const matched = document.getElementById("matched");
  const isDifference = data.wholeBase !== null;
  const resting = details.textContent;

  function amount(value) {
    if (data.unit !== "s") return Math.round(value).toLocaleString("en") + " " + data.unit;
    if (value >= 1) return value.toPrecision(3) + " s";
    return value >= 1e-3 ? (value * 1e3).toPrecision(3) + " ms" : (value * 1e6).toPrecision(3) + " µs";
  }

  function percent(part, whole) {
    return whole ? ((100 * part) / whole).toFixed(2) + "%" : "–";
  }

  // Both graphs of a difference have one scale.
  function widthOf(element) {
    const whole = element.dataset.of === "base" ? data.wholeBase : data.whole;
    return Math.max(200, (element.clientWidth * whole) / Math.max(data.whole, data.wholeBase || 0));
  }

  function grown(node, key) {
    const children = (node.k || []).map((child) => grown(child, key)).filter((child) => child.value > 0);
    return { name: node.n, value: node[key] || 0, own: node, children: children };
  }

  function hash(text) {
    let value = 0;
    for (const letter of text) value = (value * 31 + letter.charCodeAt(0)) >>> 0;
    return value;
  }

  function colour(d) {
    const node = d.data.own;
    if (d.highlight) return "#e77bff";
    if (!isDifference) {
      const value = hash(node.n.split("::")[0].replace(/^<&?/, ""));
      return "hsl(" + (20 + (value % 36)) + " 85% " + (62 + (value >> 8) % 14) + "%)";
    }
    if (node.c === "noise") return "#d5d9de";
    const share = Math.abs(node.v - node.b) / data.wholeBase;
    const light = 88 - 38 * Math.min(1, Math.sqrt(share) / 0.4);
    return "hsl(" + (node.c === "cheaper" ? 212 : 4) + " 75% " + light + "%)";
  }

  function show(d) {
    const node = d.data.own;
    details.textContent = "";
    const name = document.createElement("b");
    name.textContent = node.n;
    details.append(name, document.createElement("br"));
    let text = amount(node.v) + " with calls (" + percent(node.v, data.whole) + "), " + amount(node.s) + " itself (" +
      percent(node.s, data.whole) + ")";
    if (isDifference) {
      const change = node.v - node.b;
      text += "; before " + amount(node.b) + " with calls, " + amount(node.t) + " itself; " +
        (node.c === "noise" ? "within the noise" :
          (change < 0 ? "cheaper by " : "dearer by ") + amount(Math.abs(change)) + ", " +
          percent(Math.abs(change), data.wholeBase) + " of the whole");
    }
    details.append(text);
  }

  const charts = Array.from(document.querySelectorAll(".graph")).map(function (element) {
    const tree = grown(data.tree, element.dataset.of === "base" ? "b" : "v");
    const chart = flamegraph.default()
      .width(widthOf(element))
      .cellHeight(19)
      .minFrameSize(1)
      .transitionDuration(200)
      .inverted(true)
      .sort(true)
      .setColorMapper(colour)
      .setLabelHandler((d) => d.data.name)
      .setDetailsHandler(() => undefined)
      .onHover(show);
    chart.setSearchHandler(function (results, found, total) {
      element.dataset.found = percent(found, total);
    });
    d3.select(element).datum(tree).call(chart);
    element.addEventListener("mouseleave", () => { details.textContent = resting; });
    return { chart: chart, element: element };
  });

  let width = window.innerWidth;
  window.addEventListener("resize", function () {
    if (window.innerWidth === width) return; // only its height: a keyboard on a telephone
    width = window.innerWidth;
    for (const each of charts) each.chart.width(widthOf(each.element)).update();
  });

  const search = document.getElementById("search");
  search.addEventListener("input", function () {
    matched.textContent = "";
    try {
      new RegExp(search.value);
    } catch (error) {
      matched.textContent = "this is no regular expression";
      return;
    }
    if (!search.value) {
      for (const each of charts) each.chart.clear();
      return;
    }
    for (const each of charts) each.chart.search(search.value);
    matched.textContent = charts.map((each) => each.element.dataset.found).join(" and ") + " matched";
  });
  document.getElementById("reset").addEventListener("click", function () {
    search.value = "";
    matched.textContent = "";
    for (const each of charts) {
      each.chart.clear();
      each.chart.resetZoom();
    }
  });
})();
