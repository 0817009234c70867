/** The key history object: how many retired keys a card has. @core */
import { parseTlvs } from "../../apdu/tlv.ts";
import { RETIRED_KEY_REFERENCES } from "../constants.ts";
import { text } from "./application_template.ts";

/** SP 800-73-4 part 1, section 3.3.3. */
export interface KeyHistory {
  /** Retired keys whose certificates lie on the card. */
  readonly withCertificate: number;
  /** Retired keys whose certificates lie at {@linkcode url}. */
  readonly withoutCertificate: number;
  readonly url: string;
}

const TAG = { withCertificate: 0xc1, withoutCertificate: 0xc2, url: 0xf3 } as const;

/** Reads the object's content; `undefined` when it is malformed or counts more than a card has. */
export function parseKeyHistory(content: Uint8Array): KeyHistory | undefined {
  const members = parseTlvs(content);
  const value = (tag: number) => members?.find((one) => one.tag === tag)?.value;
  const withCertificate = count(value(TAG.withCertificate));
  const withoutCertificate = count(value(TAG.withoutCertificate));
  if (withCertificate === undefined || withoutCertificate === undefined) return undefined;
  if (withCertificate + withoutCertificate > RETIRED_KEY_REFERENCES.length) return undefined;
  return { withCertificate, withoutCertificate, url: text(value(TAG.url)) };
}

function count(value: Uint8Array | undefined): number | undefined {
  return value?.length === 1 ? value[0] : undefined;
}
