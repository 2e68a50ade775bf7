// Plays what the page posts, in the audio thread: 200 ms are gathered first, and at most a second is kept.
declare const sampleRate: number;
declare class AudioWorkletProcessor { readonly port: MessagePort }
declare function registerProcessor(name: string, made: new () => AudioWorkletProcessor): void;

const RATE = 48_000, START = 9_600, MOST = 48_000;

registerProcessor("station-sound", class extends AudioWorkletProcessor {
  #ring = new Float32Array(MOST);
  #first = 0;
  #count = 0;
  #going = false;
  #part = 0;
  #square = 0;
  #heard = 0;
  constructor() {
    super();
    this.port.onmessage = (message: MessageEvent<Int16Array>) => {
      for (const sample of message.data) {
        if (this.#count === MOST) { this.#first = (this.#first + 1) % MOST; this.#count--; }
        this.#ring[(this.#first + this.#count++) % MOST] = sample / 32768;
      }
      if (this.#count >= START) this.#going = true;
    };
  }
  process(_: Float32Array[][], outputs: Float32Array[][]): boolean {
    const out = outputs[0]?.[0];
    if (!out) return true;
    const step = RATE / sampleRate;
    for (let i = 0; i < out.length; i++) {
      let value = 0;
      if (this.#going) {
        if (this.#count < 2) this.#going = false;
        else {
          const a = this.#ring[this.#first]!, b = this.#ring[(this.#first + 1) % MOST]!;
          value = a + (b - a) * this.#part;
          this.#part += step;
          while (this.#part >= 1 && this.#count > 1) { this.#part -= 1; this.#first = (this.#first + 1) % MOST; this.#count--; }
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
    return true;
  }
});
