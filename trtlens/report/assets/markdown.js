// Findings and tables as Markdown in the clipboard, for an issue or a review.

const MOST_COPIED = 1000;

function markdownCell(text) {
  return String(text).replaceAll("\\", "\\\\").replaceAll("|", "\\|").replaceAll("`", "\\`").replaceAll("<", "\\<").replaceAll("\n", " ");
}

function markdownTable(columns, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const heads = columns.map((one) => markdownCell(one.unit ? `${one.title} [${one.unit}]` : one.title));
  const cells = rows.slice(0, MOST_COPIED).map((row) => line(columns.map((one) => markdownCell(one.text(row)))));
  const more = rows.length > MOST_COPIED ? [`\n${(rows.length - MOST_COPIED).toLocaleString("en-US")} more rows`] : [];
  return [line(heads), line(columns.map((one) => (one.isNumber ? "---:" : "---"))), ...cells, ...more].join("\n");
}

// Title, what it costs, then headings, paragraphs and lists of the text.
function markdownOfFinding(finding) {
  const values = [...finding.querySelectorAll("summary .value")].map((one) => one.textContent.trim()).filter(Boolean);
  const parts = [`### ${finding.querySelector(".what").textContent}`, values.map((one) => `- ${markdownCell(one)}`).join("\n")];
  for (const one of finding.querySelector("div").children) {
    if (one.matches(".copy")) continue;
    if (/^H\d$/.test(one.tagName)) parts.push(`**${markdownCell(one.textContent)}**`);
    else if (one.tagName === "UL") parts.push([...one.children].map((item) => `- ${markdownCell(item.textContent)}`).join("\n"));
    else if (one.matches(".picks")) parts.push([...one.children].map((item) => `- ${markdownCell(item.textContent)}`).join("\n"));
    else parts.push(markdownCell(one.textContent));
  }
  return parts.filter(Boolean).join("\n\n");
}

async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // a page from a file may have no clipboard: the old way needs a selection
    const box = make("textarea", { "aria-hidden": "true" });
    box.value = text;
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
    button.focus();
  }
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1500);
}

function copyButton(give) {
  const button = make("button", { type: "button", class: "quiet copy", text: "Copy as Markdown", onclick: () => copyText(give(), button) });
  return button;
}

function addCopyButtons() {
  document.querySelectorAll("details.finding > div").forEach((body) => body.append(copyButton(() => markdownOfFinding(body.parentElement))));
}
