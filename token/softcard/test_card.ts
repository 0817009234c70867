/** A card for unit tests: cheap to unlock, the same bytes at every run, no disk. */
import { Buffer } from "node:buffer";
import { command, encodeCommand } from "../apdu/command.ts";
import { parseResponse, type ResponseApdu } from "../apdu/response.ts";
import { SW } from "../apdu/status.ts";
import { concat, encodeTlv, findTlv } from "../apdu/tlv.ts";
import { PIV_INS, TLV_TAG } from "../piv/constants.ts";
import { SoftCard } from "./card.ts";
import type { CardCrypto } from "./crypto.ts";
import { DEFAULT_MANAGEMENT_KEY, factoryCard, type FactoryOptions } from "./factory.ts";
import { softwareCrypto } from "./software_crypto.ts";
import { pinBlock } from "./piv/pin_format.ts";
import type { CardState } from "./state.ts";

/** Real key operations, with a counter in the place of randomness. */
export function countingCrypto(): CardCrypto {
  let count = 0;
  return {
    ...softwareCrypto,
    randomBytes: (length) => Uint8Array.from({ length }, () => (count = (count * 5 + 7) & 0xff)),
  };
}

/** A new card's state with the cheapest scrypt there is. */
export function cheapCard(options: Partial<FactoryOptions> & { serial?: number } = {}): CardState {
  const crypto = countingCrypto();
  return factoryCard({ crypto, cost: { N: 2, r: 1, p: 1 }, serial: 12345678, ...options });
}

/** Drives a card by commands, and remembers what it had saved. */
export class TestCard {
  readonly card: SoftCard;
  /** Every state that was saved, in order. */
  readonly saved: CardState[] = [];
  /** Set to make saving fail from then on. */
  isDiskFull = false;

  constructor(state: CardState = cheapCard()) {
    this.card = new SoftCard(state, countingCrypto());
  }

  /** One raw command. */
  raw(bytes: Uint8Array): ResponseApdu {
    const script = this.card.transmit(bytes);
    let step = script.next();
    while (!step.done) {
      if (!this.isDiskFull) this.saved.push(step.value);
      step = script.next(!this.isDiskFull);
    }
    const response = parseResponse(step.value);
    if (response === undefined) throw new Error("A card's answer has a status word");
    return response;
  }

  /** One command given as hexadecimal digits. */
  hex(digits: string): ResponseApdu {
    return this.raw(new Uint8Array(Buffer.from(digits.replaceAll(" ", ""), "hex")));
  }

  /** One command by its header, extended when it must be. */
  send(
    header: [ins: number, p1: number, p2: number],
    data: Uint8Array = new Uint8Array(0),
  ): ResponseApdu {
    const [ins, p1, p2] = header;
    const extended = data.length > 255;
    return this.raw(
      encodeCommand(command({ ins, p1, p2 }, { data, ne: extended ? 65536 : 256, extended })),
    );
  }

  verify(pin: string, reference = 0x80): number {
    return this.send([PIV_INS.verify, 0, reference], pinBlock(pin)).sw;
  }

  /** Proves the management key by the challenge form. */
  beAdministrator(key: Uint8Array = DEFAULT_MANAGEMENT_KEY): void {
    const asked = this.authenticate({ algorithm: 0x03, key: 0x9b }, [0x81, new Uint8Array(0)]);
    const challenge = asked.data.slice(4);
    const answer = softwareCrypto.block("encrypt", { algorithm: "3DES", bytes: key }, challenge);
    const { sw } = this.authenticate({ algorithm: 0x03, key: 0x9b }, [0x82, answer]);
    if (sw !== SW.OK) throw new Error("The factory's management key opens a fresh card");
  }

  /** GENERAL AUTHENTICATE with the given members of the dynamic template. */
  authenticate(
    use: { algorithm: number; key: number },
    ...members: [tag: number, value: Uint8Array][]
  ): ResponseApdu {
    const template = encodeTlv(0x7c, concat(...members.map(([tag, v]) => encodeTlv(tag, v))));
    return this.send([PIV_INS.generalAuthenticate, use.algorithm, use.key], template);
  }

  /** Signs, deciphers (81) or agrees (85); resolves to the result's bytes and the status word. */
  use(
    use: { algorithm: number; key: number },
    member: [tag: number, value: Uint8Array],
  ): ResponseApdu {
    const answer = this.whole(this.authenticate(use, [0x82, new Uint8Array(0)], member));
    if (answer.sw !== SW.OK) return answer;
    const template = findTlv(answer.data, 0x7c) ?? new Uint8Array(0);
    return { sw: answer.sw, data: findTlv(template, 0x82) ?? new Uint8Array(0) };
  }

  /** Generates a key; resolves to the raw public key (RSA: the template's members). */
  generate(slot: number, algorithm: number, ...policies: number[]): Uint8Array {
    const control = concat(
      encodeTlv(TLV_TAG.generateAlgorithm, Uint8Array.of(algorithm)),
      Uint8Array.from(policies),
    );
    const { sw, data } = this.whole(
      this.send([PIV_INS.generateAsymmetric, 0, slot], encodeTlv(0xac, control)),
    );
    if (sw !== SW.OK) throw new Error(`Cannot generate: ${sw.toString(16)}`);
    const template = findTlv(data, 0x7f49) ?? new Uint8Array(0);
    return findTlv(template, TLV_TAG.eccPoint) ?? template;
  }

  /** Fetches what a short answer left behind. */
  whole(answer: ResponseApdu): ResponseApdu {
    const parts = [answer.data];
    while (answer.sw >> 8 === SW.MORE_DATA >> 8) {
      answer = this.hex("00c0000000");
      parts.push(answer.data);
    }
    return { sw: answer.sw, data: concat(...parts) };
  }

  get(tag: number): ResponseApdu {
    return this.send([PIV_INS.getData, 0x3f, 0xff], tagList(tag));
  }

  put(tag: number, content: Uint8Array): number {
    const data = concat(tagList(tag), encodeTlv(0x53, content));
    return this.send([PIV_INS.putData, 0x3f, 0xff], data).sw;
  }
}

function tagList(tag: number): Uint8Array {
  const digits = tag.toString(16).padStart(tag > 0xffff ? 6 : tag > 0xff ? 4 : 2, "0");
  return encodeTlv(0x5c, new Uint8Array(Buffer.from(digits, "hex")));
}
