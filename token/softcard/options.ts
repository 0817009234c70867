import { parseArgs } from "node:util";
import { pinBlock } from "./piv/pin_format.ts";
import { VPCD_DEFAULT } from "./vpcd_framing.ts";
import type { VpcdAddress } from "./vpcd_reader.ts";

/** What `softcard --help` prints. */
export const USAGE = `Usage: softcard --state FILE [options]

A software card on a virtual reader (vpcd), with PIV, OpenPGP 3.4 and, once an issuer put one on it,
a purse. It runs until it is interrupted.

  --state FILE       the card's memory; made with factory values when it isn't there;
                     FILE.spare is its second copy, for when FILE is damaged
  --vpcd HOST:PORT   where the virtual reader listens (${VPCD_DEFAULT.hostname}:${VPCD_DEFAULT.port})
  --pin PIN          PIN of a card that is made now (6 to 8 characters)
  --puk PUK          PUK of a card that is made now (6 to 8 characters)
  --serial N         serial number of a card that is made now (0 to 4294967295)
  --removed          start with the card outside the reader
  --control SOCKET   Unix socket for one-line commands: insert, remove, status,
                     and for tests: fault garbage [HEX]|silent|pull-at N|none
  --help             this text

Keys lie in FILE sealed under the PIN; keys that need no PIN, the management key, and a purse's keys
lie there as they are. Whoever has FILE can try PINs without a limit: guard it as you would a card.`;

/** What the command line asked for. */
export interface SoftcardOptions {
  readonly state: string;
  readonly vpcd: VpcdAddress;
  readonly pin?: string;
  readonly puk?: string;
  readonly serial?: number;
  readonly removed: boolean;
  readonly control?: string;
}

/** Reads the command line, or says what is wrong with it. */
export function parseOptions(args: string[]): SoftcardOptions | "help" | { problem: string } {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        state: text,
        vpcd: text,
        pin: text,
        puk: text,
        serial: text,
        control: text,
        removed: flag,
        help: flag,
      },
    }));
  } catch (error) {
    const reason = error instanceof Error ? error.message.split(". ")[0] : String(error);
    return { problem: `Cannot read the command line: ${reason}` };
  }
  if (values.help) return "help";
  if (values.state === undefined) {
    return { problem: "Cannot start a card: --state FILE is missing" };
  }
  const vpcd = values.vpcd === undefined ? VPCD_DEFAULT : parseAddress(values.vpcd);
  if (vpcd === undefined) {
    return { problem: `Cannot use --vpcd ${values.vpcd}: HOST:PORT is expected` };
  }
  for (const name of ["pin", "puk"] as const) {
    if (values[name] !== undefined && pinBlock(values[name]) === undefined) {
      return { problem: `Cannot use --${name}: 6 to 8 ASCII characters are expected` };
    }
  }
  const serial = values.serial === undefined ? undefined : parseSerial(values.serial);
  if (values.serial !== undefined && serial === undefined) {
    return { problem: `Cannot use --serial ${values.serial}: 0 to 4294967295 is expected` };
  }
  return {
    state: values.state,
    vpcd,
    removed: values.removed ?? false,
    ...(values.pin === undefined ? {} : { pin: values.pin }),
    ...(values.puk === undefined ? {} : { puk: values.puk }),
    ...(serial === undefined ? {} : { serial }),
    ...(values.control === undefined ? {} : { control: values.control }),
  };
}

function parseAddress(text: string): VpcdAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const hostname = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (hostname === undefined || port < 1 || port > 65535) return undefined;
  return { hostname, port };
}

function parseSerial(text: string): number | undefined {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  return value <= 0xffffffff ? value : undefined;
}
