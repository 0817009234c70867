import { type Language, PANEL_MESSAGES } from "../../i18n/messages.ts";
import type { Assets } from "../../shared/assets.ts";
import { Mark } from "../../shared/mark.tsx";
import { LanguageSwitch, Page } from "../../shared/page.tsx";

export function SignInPage(
  props: { language: Language; name: string; problem: string | undefined; assets: Assets },
) {
  const messages = PANEL_MESSAGES[props.language];
  const m = messages.signIn;
  return (
    <Page
      class="sign-in"
      language={props.language}
      title={`${m.title} · ${props.name}`}
      css={props.assets.url("panel.css")}
    >
      <main>
        <Mark />
        <h1>{props.name}</h1>
        <p class="soft">{m.text}</p>
        {props.problem && <p class="problem" role="alert" id="problem">{props.problem}</p>}
        <form method="post" action="/sign-in">
          {/* Not read: password managers look for a name beside the password. */}
          <input type="text" name="user" value="admin" autocomplete="username" hidden />
          <label for="password">{m.password}</label>
          <input
            id="password"
            name="password"
            type="password"
            autocomplete="current-password"
            maxlength={1024}
            required
            autofocus
            aria-describedby={props.problem ? "problem" : undefined}
          />
          <button type="submit">{m.submit}</button>
        </form>
        <LanguageSwitch language={props.language} label={messages.language} />
      </main>
    </Page>
  );
}
