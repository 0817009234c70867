import type { CommandApdu } from "../../apdu/command.ts";
import type { ResponseApdu } from "../../apdu/response.ts";
import { SW } from "../../apdu/status.ts";
import {
  PIV_AID,
  PIV_AID_RID,
  PIV_AID_WITHOUT_VERSION,
  PIV_INS,
  YUBICO_INS,
} from "../../piv/constants.ts";
import { type CardApplication, status, success } from "../application.ts";
import type { CardCrypto } from "../crypto.ts";
import type { CardMemory, CardScript } from "../memory.ts";
import type { PivCommand, PivContext } from "./context.ts";
import { generalAuthenticate } from "./general_authenticate.ts";
import { APPLICATION_TEMPLATE } from "./identity.ts";
import { generateKeyPair, importKey } from "./keys.ts";
import { getData, putData } from "./objects.ts";
import { changeReferenceData, resetRetryCounter, verify } from "./pins.ts";
import { PivSession } from "./session.ts";
import {
  attestKey,
  getMetadata,
  getSerial,
  getVersion,
  reset,
  setManagementKey,
  setPinRetries,
} from "./yubico.ts";

/** The PIV application: commands in, answers out, every change through the card's memory. */
export class PivApplication implements CardApplication {
  readonly #context: PivContext;

  constructor(memory: CardMemory, crypto: CardCrypto) {
    this.#context = { memory, crypto, session: new PivSession() };
  }

  answersTo(aid: Uint8Array): boolean {
    const isPrefix = aid.every((byte, index) => byte === PIV_AID[index]);
    const lengths = [PIV_AID_RID.length, PIV_AID_WITHOUT_VERSION.length, PIV_AID.length];
    return isPrefix && lengths.includes(aid.length);
  }

  select(): ResponseApdu {
    return success(APPLICATION_TEMPLATE);
  }

  *handle(apdu: CommandApdu): CardScript<ResponseApdu> {
    const run = COMMANDS.get(apdu.ins);
    if (run === undefined) return status(SW.INS_NOT_SUPPORTED);
    const work = run(this.#context, apdu);
    return "sw" in work ? work : yield* work;
  }

  deselect(): void {
    this.#context.session.clear();
  }
}

const COMMANDS: ReadonlyMap<number, PivCommand> = new Map<number, PivCommand>([
  [PIV_INS.verify, verify],
  [PIV_INS.changeReferenceData, changeReferenceData],
  [PIV_INS.resetRetryCounter, resetRetryCounter],
  [PIV_INS.generalAuthenticate, generalAuthenticate],
  [PIV_INS.generateAsymmetric, generateKeyPair],
  [PIV_INS.getData, getData],
  [PIV_INS.putData, putData],
  [YUBICO_INS.getVersion, getVersion],
  [YUBICO_INS.getSerial, getSerial],
  [YUBICO_INS.getMetadata, getMetadata],
  [YUBICO_INS.attest, attestKey],
  [YUBICO_INS.importKey, importKey],
  [YUBICO_INS.setManagementKey, setManagementKey],
  [YUBICO_INS.setPinRetries, setPinRetries],
  [YUBICO_INS.reset, reset],
]);
