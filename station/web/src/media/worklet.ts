// Plays what the page posts, in the audio thread: 200 ms are gathered first.  What is half a second behind skips to that again.
declare const sampleRate: number;
declare class AudioWorkletProcessor { readonly port: MessagePort }
declare function registerProcessor(name: string, made: new () => AudioWorkletProcessor): void;

const RATE = 48_000, START = 9_600, LATE = 24_000, ROOM = 65_536;

registerProcessor("station-sound", class extends AudioWorkletProcessor {
  #ring = new Float32Array(ROOM);
  #first = 0;
  #count = 0;
  #going = false;
  #over = false;
  #part = 0;
  #square = 0;
  #heard = 0;
  constructor() {
    super();
    // Null: nothing more is played.
    this.port.onmessage = (message: MessageEvent<Int16Array | null>) => {
      if (!message.data) { this.#over = true; return; }
      for (const sample of message.data) {
        if (this.#count === ROOM) { this.#first = (this.#first + 1) % ROOM; this.#count--; }
        this.#ring[(this.#first + this.#count++) % ROOM] = sample / 32768;
      }
      if (this.#count >= START) this.#going = true;
      if (this.#count > LATE) {
        this.#first = (this.#first + this.#count - START) % ROOM;
        this.#count = START;
      }
    };
  }
  process(_: Float32Array[][], outputs: Float32Array[][]): boolean {
    const out = outputs[0]?.[0];
    if (!out) return !this.#over;
    const step = RATE / sampleRate;
    for (let i = 0; i < out.length; i++) {
      let value = 0;
      if (this.#going) {
        if (this.#count < 2) this.#going = false;
        else {
          const a = this.#ring[this.#first]!, b = this.#ring[(this.#first + 1) % ROOM]!;
          value = a + (b - a) * this.#part;
          this.#part += step;
          while (this.#part >= 1 && this.#count > 1) { this.#part -= 1; this.#first = (this.#first + 1) % ROOM; this.#count--; }
        }
      }
      out[i] = value;
      this.#square += value * value;
    }
    this.#heard += out.length;
    if (this.#heard >= sampleRate / 10) {
      this.port.postMessage(Math.sqrt(this.#square / this.#heard));
      this.#square = this.#heard = 0;
    }
    return !this.#over;
  }
});
