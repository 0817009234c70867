/** Cardholder related data (65). Section 4.4.1. @core */
import { parseTlvs, readTlv } from "../apdu/tlv.ts";
import { text } from "../piv/objects/application_template.ts";
import { OPENPGP_DO } from "./constants.ts";

/** Whose card it is, as its holder wrote it: anybody can write anything there. */
export interface Cardholder {
  /** As ISO 7501-1 writes names: "Doe<<Jane". */
  readonly name: string;
  /** The name as people write it: "Jane Doe". */
  readonly display: string;
  /** ISO 639 codes, the preferred first. */
  readonly languages: readonly string[];
}

/** Reads the object with its tag; `undefined` when it is malformed. */
export function parseCardholder(object: Uint8Array): Cardholder | undefined {
  const outer = readTlv(object, 0);
  if (outer?.tag !== OPENPGP_DO.cardholderRelated || outer.end !== object.length) return undefined;
  const members = parseTlvs(outer.value);
  if (members === undefined) return undefined;
  const value = (tag: number) => members.find((one) => one.tag === tag)?.value;
  const name = text(value(OPENPGP_DO.name));
  const languages = text(value(OPENPGP_DO.language)).match(/[a-z]{2}/g) ?? [];
  return { name, display: displayed(name), languages };
}

function displayed(name: string): string {
  const [family = "", ...given] = name.split("<<");
  return [...given, family].join(" ").replaceAll("<", " ").trim();
}
