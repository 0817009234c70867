/** How a command of `token` ends other than well. */

/** The command line is wrong; exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What was asked can't be done now; exit code 1. The message says what to do next. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}
