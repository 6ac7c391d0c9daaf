// One column for each model: its list, why each item is in it, and where what was truly taken stands.

import { element, nameOf, idBeside, unseen } from "./elements.js";
import { explanation, number } from "./explain.js";

const count = new Intl.NumberFormat("en");
const MEASURES = ["NDCG@10", "HR@10"];

/**
 * The columns of the answers.
 *
 * @param answers of the models, in order of the columns.
 * @param about `models` by name, the `history` they answer to, `truth` (what was taken next, or null), `take(item)`,
 *   `fail(error)`.
 */
export function columns(answers, about) {
  return answers.map((answer, place) => {
    const other = answers.length === 2 ? answers[1 - place] : null;
    return element(
      "section",
      { class: "column", "aria-labelledby": `column-${place}` },
      element("h3", { id: `column-${place}` }, answer.model),
      facts(about.models.find((model) => model.name === answer.model)),
      notes(answer),
      verdict(answer, about),
      rows(answer, other, place, about),
    );
  });
}

function facts(model) {
  if (!model) return null;
  const sizes = [`${count.format(model.num_items)} items`, `${count.format(model.num_parameters)} parameters`];
  const told = [model.kind, model.data, ...sizes];
  for (const name of MEASURES) {
    if (typeof model.metrics?.[name] === "number") told.push(`${name} ${model.metrics[name].toFixed(3)}`);
  }
  return element("p", { class: "facts" }, told.join(" · "));
}

function notes(answer) {
  const told = [];
  if (answer.source === "popularity") told.push("The most popular items: the history tells this model nothing yet.");
  if (answer.num_unknown === 1) told.push("1 item of the history is unknown to this model.");
  if (answer.num_unknown > 1) told.push(`${answer.num_unknown} items of the history are unknown to this model.`);
  return told.length ? element("p", { class: "note" }, told.join(" ")) : null;
}

/** The place of an item in an answer, from 1; 0: it is not there. */
const rankIn = (answer, item) => answer.items.findIndex((other) => other.item_id === item.item_id) + 1;

function verdict(answer, { truth, history, filterSeen }) {
  if (!truth) return null;
  const rank = rankIn(answer, truth);
  const seen = filterSeen && history.some((event) => event.item_id === truth.item_id);
  const why = seen ? ": it is in the history, and that is left out" : "";
  const told = rank ? ` – rank ${rank}` : ` – not in the top 10${why}`;
  const named = element("strong", {}, nameOf(truth));
  return element("p", { class: rank ? "verdict hit" : "verdict" }, "Truly taken next: ", named, told);
}

function rows(answer, other, place, about) {
  if (!answer.items.length) return element("p", { class: "empty" }, "Nothing is left to recommend.");
  const list = element("ol", { class: "list" });
  answer.items.forEach((item, rank) => list.append(row(answer, item, other, `${place}-${rank}`, about)));
  return list;
}

function row(answer, item, other, id, about) {
  const isTruth = about.truth?.item_id === item.item_id;
  const elsewhere = other && answer.source === "model" ? rankIn(other, item) : 0;
  const take = element(
    "button",
    { type: "button", class: "take" },
    element("span", { class: "name" }, unseen("Take "), nameOf(item)),
    element(
      "span",
      { class: "beside" },
      isTruth ? element("span", { class: "tag truth" }, "truly taken next") : null,
      elsewhere ? element("span", { class: "tag" }, `number ${elsewhere} in the other list`) : null,
      idBeside(item),
    ),
  );
  take.addEventListener("click", () => about.take(item));
  const score = element("span", { class: "score" }, unseen("score "), number(item.score));
  const made = element("li", { id: `row-${id}`, class: isTruth ? "row truth" : "row" }, take, score);
  if (answer.source === "model") {
    const why = explanation(`why-${id}`, { history: about.history, item, model: answer.model, fail: about.fail });
    made.append(why.toggle, why.panel);
  }
  return made;
}
