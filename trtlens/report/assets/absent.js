// Says once in each part of the page what the shown run does not hold, and hides the places of it.

const SAID_ABOVE = ""; // no reason is given

function whyAbsent(page, place) {
  const compared = place.dataset.scope === "comparison";
  if (place.dataset.scope === "runs") return page.data.figures[place.dataset.chart] ? null : SAID_ABOVE;
  const source = compared ? page.comparison : page.runs[page.current];
  if (source.refused) return SAID_ABOVE; // the runs could not be compared
  if (place.dataset.chart) {
    const figures = compared ? source.figures[page.other()] : source.figures;
    const figure = figures[place.dataset.chart];
    return figure.missing ? sentence(figure.missing) : null;
  }
  const table = source.packed[place.dataset.table];
  return table && table.rows ? null : sentence(place.dataset.empty);
}

function tellAbsent(page) {
  for (const section of document.querySelectorAll("main > section")) {
    const reasons = new Map();
    for (const place of section.querySelectorAll("[data-chart],[data-table]")) {
      const why = whyAbsent(page, place);
      place.hidden = why !== null;
      if (why) reasons.set(why, [...(reasons.get(why) || []), place.querySelector("h3").textContent]);
    }
    const before = section.querySelector(".absent");
    if (before) before.remove();
    if (!reasons.size) continue;
    const lines = [...reasons].map(([why, titles]) => make("p", {}, make("b", { text: `${titles.join(", ")}: ` }), why));
    section.append(make("div", { class: "block absent" }, ...lines));
  }
}
