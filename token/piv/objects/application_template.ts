/** What a card answers to SELECT: the application's property template. @core */
import { findTlv, parseTlvs } from "../../apdu/tlv.ts";
import { TLV_TAG } from "../constants.ts";

/** SP 800-73-4 part 2, table 3. */
export interface ApplicationTemplate {
  /** The application identifier as the card writes it, with or without NIST's five bytes. */
  readonly applicationId: Uint8Array;
  /** Words of the maker, or "". */
  readonly label: string;
  /** Where the specification is told to lie, or "". */
  readonly url: string;
  /** Algorithm bytes that the card lists (SP 800-78-4 table 6-2); `undefined`: it lists none. */
  readonly algorithms: readonly number[] | undefined;
}

/** Longest text that is taken from a card, in bytes. */
const LONGEST_TEXT = 128;

/** Reads the template; `undefined` when it is malformed. */
export function parseApplicationTemplate(answer: Uint8Array): ApplicationTemplate | undefined {
  const [template, ...more] = parseTlvs(answer) ?? [];
  if (template?.tag !== TLV_TAG.applicationTemplate || more.length > 0) return undefined;
  const members = parseTlvs(template.value);
  if (members === undefined) return undefined;
  const value = (tag: number) => members.find((one) => one.tag === tag)?.value;
  const algorithms = members.filter(({ tag }) => tag === TLV_TAG.algorithms)
    .flatMap(({ value }) => parseTlvs(value) ?? [])
    .filter(({ tag, value }) => tag === TLV_TAG.generateAlgorithm && value.length === 1)
    .map(({ value }) => value[0] ?? 0);
  return {
    applicationId: value(TLV_TAG.applicationId) ?? new Uint8Array(0),
    label: text(value(TLV_TAG.applicationLabel)),
    url: text(value(TLV_TAG.applicationUrl)),
    algorithms: findTlv(template.value, TLV_TAG.algorithms) === undefined ? undefined : algorithms,
  };
}

/** Printable text of a card: no control characters reach a terminal or a page. */
export function text(bytes: Uint8Array | undefined): string {
  const decoded = new TextDecoder().decode(bytes?.subarray(0, LONGEST_TEXT));
  return decoded.replaceAll(/\p{C}/gu, "").trim();
}
