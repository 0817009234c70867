/** From return codes of the library to what a caller tells apart. */
import { PcscError, type PcscFault } from "./types.ts";
import { CODE } from "./winscard.ts";

/** The error for a refused call; `doing` completes "Cannot …". */
export function pcscError(doing: string, code: number): PcscError {
  const fault = faultOf(code);
  return new PcscError(`Cannot ${doing}: ${explanation(fault, code)}`, { fault, code });
}

/** The word for a return code that is not success. */
export function faultOf(code: number): PcscFault {
  switch (code) {
    case CODE.noService:
    case CODE.serviceStopped:
    case CODE.systemCancelled:
    case CODE.internalError:
    case CODE.invalidHandle:
      return "no-service";
    case CODE.unknownReader:
    case CODE.noReaders:
    case CODE.readerUnavailable:
      return "no-reader";
    case CODE.noSmartcard:
      return "no-card";
    case CODE.unresponsiveCard:
    case CODE.unsupportedCard:
    case CODE.unpoweredCard:
    case CODE.protocolMismatch:
      return "mute-card";
    case CODE.sharingViolation:
      return "sharing";
    case CODE.removedCard:
    case CODE.communicationError:
    case CODE.notTransacted:
    case CODE.dataLost:
      return "removed";
    case CODE.resetCard:
      return "reset";
    case CODE.timeout:
    case CODE.notReady:
      return "timeout";
    default:
      return "failed";
  }
}

function explanation(fault: PcscFault, code: number): string {
  switch (fault) {
    case "no-service":
      return "pcscd does not answer; start it (systemctl start pcscd.socket)";
    case "no-reader":
      return "the reader is not there; plug it in";
    case "no-card":
      return "no card is in the reader; insert it";
    case "mute-card":
      return "the card gives no answer to reset; insert it the right way round, or try another";
    case "sharing":
      return "another program holds the card; close that program";
    case "removed":
      return "the card was pulled; insert it again";
    case "reset":
      return "another program has reset the card; try again";
    case "timeout":
      return "the reader gave no answer in time; pull the card and insert it again";
    case "failed":
      return `pcscd answered ${code.toString(16)}; see its log (journalctl -u pcscd)`;
  }
}
