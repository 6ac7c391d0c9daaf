// A real user's events, fed one by one or at once; what they took next is known, so the lists can be judged.

import { ask, Newest } from "./api.js";
import { byId, fill } from "./elements.js";

/** Offers the users of the server's log; `feed(history)` gets the events fed so far, `fail(error)` what went wrong. */
export class Replay {
  #feed;
  #fail;
  #users = [];
  #seed = 0;
  #newest = new Newest();
  #offers = new Newest();
  #told = null; // the user that is replayed, as the server tells them
  #fed = 0; // events of theirs

  constructor(feed, fail) {
    [this.#feed, this.#fail] = [feed, fail];
    byId("replay-step").addEventListener("click", () => this.#advance((fed) => (this.#isDone ? 1 : fed + 1)));
    byId("replay-all").addEventListener("click", () => this.#advance(() => Infinity));
    byId("replay-others").addEventListener("click", () => this.offer());
    byId("user").addEventListener("change", () => this.end());
  }

  /** Offer some users, others each time; the server may have no log, and then nothing is shown. */
  async offer() {
    this.end();
    try {
      const path = `v1/users?${new URLSearchParams({ limit: 10, seed: this.#seed++ })}`;
      const answer = await this.#offers.run((signal) => ask(path, { signal }));
      if (!answer) return; // yet others are on their way
      this.#users = answer.users;
      fill(byId("user"), answer.users.map(String));
      byId("replay").hidden = answer.users.length === 0;
    } catch (error) {
      byId("replay").hidden = true;
      if (error.status !== 404) this.#fail(error, () => this.offer());
    }
  }

  /** The history is somebody else's from now on. */
  end() {
    this.#newest.stop();
    [this.#told, this.#fed] = [null, 0];
    this.#show();
  }

  /** What the user took after what was fed, or null while nobody is replayed. */
  get truth() {
    return this.#told && (this.#told.history[this.#fed] ?? this.#told.target);
  }

  async #advance(next) {
    try {
      const told = this.#told ?? (await this.#newest.run((signal) => ask(this.#path(), { signal })));
      if (!told) return;
      this.#told = told;
      this.#fed = Math.min(next(this.#fed), told.history.length);
      this.#show();
      this.#feed(told.history.slice(0, this.#fed));
    } catch (error) {
      this.#fail(error, () => this.#advance(next));
    }
  }

  get #isDone() {
    return this.#told !== null && this.#fed === this.#told.history.length;
  }

  #path() {
    return `v1/users/${encodeURIComponent(String(this.#users[Number(byId("user").value)]))}`;
  }

  #show() {
    const whole = this.#told?.history.length;
    byId("replay-step").textContent = this.#isDone ? "From the start" : "Next event";
    byId("replay-all").setAttribute("aria-disabled", String(this.#isDone));
    byId("replay-progress").textContent = this.#told === null
      ? "Feed their events into the history, and see where what they took next stands in the list."
      : this.#isDone
        ? `All ${whole} events are fed. What they took after them is the one to find.`
        : `${this.#fed} of ${whole} events are fed. Models may have learned these; the last one is the honest test.`;
  }
}
