// The run that the others are held against, as chosen in the page's head: every comparison on the page follows.

const MOST_TOLD = 6; // runs of which all sentences are shown

class Baseline {
  constructor(page) {
    Object.assign(this, { page, place: 0, control: document.getElementById("baseline") });
    if (!this.control) return;
    this.control.value = "0"; // a browser may keep what was chosen before
    this.control.addEventListener("change", () => this.choose(Number(this.control.value)));
  }

  async load() {
    const block = `comparison-${this.place}`;
    this.page.comparison = document.getElementById(block) ? new RunData(await unpack(block)) : null;
  }

  async choose(place) {
    if (place !== this.place && document.getElementById(`comparison-${place}`)) {
      this.place = place;
      await this.load();
      this.control.value = String(place);
      this.tell();
      this.page.label();
      await Promise.all([...this.page.inSight].filter((one) => one.dataset.scope === "comparison").map((one) => this.page.fill(one)));
    }
    writeAddress(this.choices());
  }

  // What stands of it in the address.
  choices() {
    return { baseline: this.place ? String(this.place) : null };
  }

  tell() {
    const { told, against } = this.page.comparison;
    const parts = told.map((part) => make("div", { class: "told", "data-of": part.run }, make("h3", { text: part.title }), listed(part.sentences)));
    document.getElementById("told").replaceChildren(...parts);
    document.querySelectorAll(".against").forEach((line) => {
      const [words, verdict, meaning] = against[Number(line.closest("[data-run]").dataset.run)] || ["", "", ""];
      Object.assign(line, { className: `against ${verdict}`, textContent: words, title: meaning, hidden: !words });
    });
  }

  // Of many runs the sentences about the shown one alone.
  tellShown() {
    if (this.page.data.runs.length <= MOST_TOLD) return;
    const shown = ["", "null", String(this.page.other())];
    document.querySelectorAll("#told .told").forEach((one) => { one.hidden = !shown.includes(one.dataset.of ?? ""); });
  }
}
