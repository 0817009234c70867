import { type Language, portalMessages } from "../i18n/messages.ts";
import { LONGEST_PASSKEY_NAME } from "../../token/profile/passkey_name.ts";
import type { LocalState } from "./card.tsx";
import type { PortalState } from "./state.ts";

/** Below the PIN: a passkey in its place, and how one is added. */
export function PasskeyPart(
  { state, local, language }: { state: PortalState; local: LocalState; language: Language },
) {
  const offer = state.target?.passkey;
  if (offer === undefined) return null;
  const m = portalMessages(language, state.token).passkey;
  if (!offer.here) {
    return (
      <p class="passkey">
        <a href={offer.url}>{m.elsewhere(offer.name)}</a>
      </p>
    );
  }
  if (!local.knowsPasskeys) return null;
  return (
    <div class="passkey">
      {offer.opens
        ? (
          <button type="button" class="quiet" data-action="passkey" disabled={local.sending}>
            {m.use}
          </button>
        )
        : null}
      {offer.mayAdd
        ? (
          <details>
            <summary>{m.add}</summary>
            <p>{m.addText}</p>
            <label for="passkey-name">{m.name}</label>
            <input
              id="passkey-name"
              type="text"
              autocomplete="off"
              maxlength={LONGEST_PASSKEY_NAME}
              value={m.usualName}
            />
            <button type="submit" value="add" class="quiet" disabled={local.sending}>
              {m.addSubmit}
            </button>
          </details>
        )
        : null}
    </div>
  );
}
