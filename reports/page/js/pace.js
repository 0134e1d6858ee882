/* Work in slices: whoever loops over much calls pace() between two steps, and the page stays alive. */

const SLICE = 20; // milliseconds

class Cancelled extends Error {}

/** One run of work: it yields, tells how far it is, and can be cancelled. */
class Work {
  constructor(tell = () => {}) {
    this.tell = tell;
    this.cancelled = false;
    this.begun = this.since = performance.now();
    this.longest = 0; // milliseconds that the page had to wait for its turn
    this.channel = new MessageChannel();
    this.waiting = null;
    this.channel.port1.onmessage = () => this.waiting();
  }

  /** Whether it is time to call pace(). */
  get isDue() {
    return performance.now() - this.since > SLICE;
  }

  /** Let the page do what it has to, if it is time to. Throws Cancelled once somebody cancelled. */
  async pace() {
    if (!this.isDue) return;
    this.longest = Math.max(this.longest, performance.now() - this.since);
    await new Promise((resolve) => {
      this.waiting = resolve;
      this.channel.port2.postMessage(0);
    });
    if (this.cancelled) throw new Cancelled("cancelled");
    this.since = performance.now();
  }

  /** Say what is being done, and how much of it is: 0 to 1. */
  async at(step, part = 0) {
    this.tell(step, part);
    await this.pace();
  }

  /** Go over many items, yielding now and then. */
  async each(items, act) {
    let at = 0;
    for (const item of items) {
      act(item, at);
      at += 1;
      if ((at & 255) === 0) await this.pace();
    }
  }

  cancel() {
    this.cancelled = true;
  }

  close() {
    this.channel.port1.close();
  }
}
