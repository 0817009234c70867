/** Applications that terminals may use beside those of a standard, with their instructions. @core */
import { PURSE_CLA, PURSE_INS, STORED_VALUE_AID } from "../stored_value/wire.ts";
import type { SharedApplication } from "./apdu_policy.ts";

/** The purse: everything but making one. What brings money needs the issuer's consent, on the card. */
const PURSE: SharedApplication = {
  aid: STORED_VALUE_AID,
  classes: [PURSE_CLA],
  instructions: {
    [PURSE_INS.ask]: "PURSE ASK",
    [PURSE_INS.grant]: "PURSE GRANT",
    [PURSE_INS.debit]: "PURSE DEBIT",
    [PURSE_INS.question]: "PURSE QUESTION",
    [PURSE_INS.receipt]: "PURSE RECEIPT",
    [PURSE_INS.status]: "PURSE STATUS",
  },
};

export const SHARED_APPLICATIONS: readonly SharedApplication[] = [PURSE];
