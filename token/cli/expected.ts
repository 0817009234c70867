/** Failures that people can do something about. */
import {
  CardGarbledError,
  CardGoneError,
  CardRefusedError,
  CardSilentError,
} from "../apdu/channel.ts";
import { PcscError } from "../pcsc/types.ts";
import { ShareRefusedError, ShareUnreachableError } from "../profile/share_client.ts";
import { CommandError, UsageError } from "./errors.ts";

/** Failures of cards, readers, hubs and files have a message for people; anything else is a defect. */
export function isExpected(error: unknown): error is Error {
  const kinds = [
    CardGarbledError,
    CardGoneError,
    CardRefusedError,
    CardSilentError,
    CommandError,
    PcscError,
    RangeError,
    ShareRefusedError,
    ShareUnreachableError,
    UsageError,
  ];
  return kinds.some((kind) => error instanceof kind);
}
