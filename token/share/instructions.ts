/** Instruction bytes by name, for policy and for the journal. ISO 7816-4:2020 table 4, and what cards add. @core */

/** What a terminal may do with every application: find it, read it, use its keys. */
export const READING: Readonly<Record<number, string>> = {
  0x20: "VERIFY",
  0x22: "MANAGE SECURITY ENVIRONMENT",
  0x2a: "PERFORM SECURITY OPERATION",
  0x84: "GET CHALLENGE",
  0x88: "INTERNAL AUTHENTICATE",
  0xa4: "SELECT",
  0xb0: "READ BINARY",
  0xb1: "READ BINARY",
  0xb2: "READ RECORD",
  0xb3: "READ RECORD",
  0xc0: "GET RESPONSE",
  0xca: "GET DATA",
  0xcb: "GET DATA",
};

/** SP 800-73-4 part 2, and the instructions that Yubico added, as far as they only read and sign. */
export const PIV_USING: Readonly<Record<number, string>> = {
  0x87: "GENERAL AUTHENTICATE",
  0xf7: "GET METADATA",
  0xf8: "GET SERIAL",
  0xf9: "ATTEST",
  0xfd: "GET VERSION",
};

/** What a policy may allow on top. */
export const GROUPS = {
  "change-pin": { 0x24: "CHANGE REFERENCE DATA" },
  "unblock": { 0x2c: "RESET RETRY COUNTER" },
  "write": {
    0xd6: "UPDATE BINARY",
    0xd7: "UPDATE BINARY",
    0xda: "PUT DATA",
    0xdb: "PUT DATA",
    0xdc: "UPDATE RECORD",
    0xe2: "APPEND RECORD",
  },
  "generate": { 0x47: "GENERATE KEY PAIR", 0xfe: "IMPORT KEY" },
  "management": { 0x82: "EXTERNAL AUTHENTICATE", 0xff: "SET MANAGEMENT KEY" },
  "reset": { 0xfa: "SET PIN RETRIES", 0xfb: "RESET", 0xf6: "MOVE KEY" },
} as const satisfies Readonly<Record<string, Readonly<Record<number, string>>>>;

/** One of the groups that a policy may allow. */
export type InstructionGroup = keyof typeof GROUPS;

export const INSTRUCTION_GROUPS = Object.keys(GROUPS) as readonly InstructionGroup[];

/** An instruction as the journal names it. */
export function instructionName(ins: number): string {
  for (const table of [READING, PIV_USING, ...Object.values(GROUPS)]) {
    const name = (table as Readonly<Record<number, string>>)[ins];
    if (name !== undefined) return name;
  }
  return `INS ${ins.toString(16).toUpperCase().padStart(2, "0")}`;
}
