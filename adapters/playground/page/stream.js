// The stream of what happens. It comes back by itself, and goes on after the last change that was read.

const FIRST_WAIT = 250;
const LONGEST_WAIT = 8000;
const SILENCE = 40_000; // the bot says something every 15 seconds

export class Stream {
  /** `heard(name, data)` gets each event; `state(name, sentence)` is told "open", "away" or "ended". */
  constructor(heard, state) {
    this.heard = heard;
    this.state = state;
    this.speaker = null;
    this.after = 0;
    this.wait = FIRST_WAIT;
    this.round = 0;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    window.addEventListener("online", () => this.open());
  }

  /** Read as somebody else, from the beginning. */
  as(speaker) {
    this.speaker = speaker;
    this.after = 0;
    this.open();
  }

  open() {
    this.close();
    if (this.speaker !== null) this.run(++this.round);
  }

  /** Nobody looks: the bot stops asking the servers too. */
  close() {
    this.round += 1;
    clearTimeout(this.timer);
    this.connection?.abort();
  }

  async run(round) {
    const connection = (this.connection = new AbortController());
    try {
      const query = new URLSearchParams({ as: this.speaker, after: this.after });
      const response = await fetch(`/events?${query}`, { signal: connection.signal });
      if (!response.ok) return this.refused(round, response);
      if (round === this.round) this.state("open");
      await this.read(round, response.body, connection);
    } catch {
      // a cut is what the next line is for
    }
    this.again(round);
  }

  async refused(round, response) {
    const { problem } = await response.json().catch(() => ({}));
    if (round !== this.round) return;
    if (response.status === 401 || response.status === 404) this.state("ended", problem);
    else this.again(round, problem);
  }

  async read(round, body, connection) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const silent = setTimeout(() => connection.abort(), SILENCE);
      const { value, done } = await reader.read().finally(() => clearTimeout(silent));
      if (done || round !== this.round) return;
      this.wait = FIRST_WAIT;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      blocks.forEach((block) => this.hear(block));
    }
  }

  hear(block) {
    const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s)));
    if (!fields.event) return;
    if (fields.id) this.after = Number(fields.id);
    this.heard(fields.event, JSON.parse(fields.data));
  }

  again(round, sentence = "The bot does not answer. Trying again…") {
    if (round !== this.round) return;
    this.state("away", sentence);
    this.timer = setTimeout(() => this.open(), this.wait * (0.75 + Math.random() / 2));
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
  }
}
