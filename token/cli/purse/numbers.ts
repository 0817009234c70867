import { LARGEST_AMOUNT } from "../../stored_value/wire.ts";
import { UsageError } from "../errors.ts";

/** Reads a whole number that the command line has. */
export function number(
  text: string | undefined,
  what: string,
  most: number = LARGEST_AMOUNT,
): number {
  const value = /^\d{1,16}$/.test(text ?? "") ? Number(text) : NaN;
  if (value <= most) return value;
  throw new UsageError(`Cannot read ${what}: a whole number up to ${most} is expected`);
}
