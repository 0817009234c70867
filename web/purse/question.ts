/** A purse's question as text that people carry to the issuer: purpose, payload, the card's word. @core */
import type { CardQuestion } from "../../token/stored_value/load_issuer.ts";
import { decodeAsk, encodeAsk, PURPOSE } from "../../token/stored_value/wire.ts";
import { fromBase64url, toBase64url } from "../shared/base64url.ts";

export function encodeQuestion({ purpose, payload, ask }: CardQuestion): string {
  const word = encodeAsk(ask);
  const bytes = new Uint8Array(2 + payload.length + word.length);
  bytes.set([purpose, payload.length]);
  bytes.set(payload, 2);
  bytes.set(word, 2 + payload.length);
  return toBase64url(bytes);
}

/** Undefined when the text is no question. */
export function decodeQuestion(text: string): CardQuestion | undefined {
  const bytes = text.length > 1_024 ? undefined : fromBase64url(text.trim());
  const purpose = Object.values(PURPOSE).find((one) => one === bytes?.[0]);
  if (bytes === undefined || purpose === undefined) return undefined;
  const end = 2 + (bytes[1] ?? 0);
  const ask = decodeAsk(bytes.subarray(end));
  return ask === undefined ? undefined : { purpose, payload: bytes.slice(2, end), ask };
}
