import assert from "node:assert/strict";
import { equalBytes } from "../constant_time.ts";
import { USER_ID_DIGEST_BYTES, userIdDigest } from "./user_id.ts";

Deno.test("an id is the same however a keyboard writes it, and other ids are not", () => {
  const digest = userIdDigest("alice-7");
  assert.equal(digest.length, USER_ID_DIGEST_BYTES);
  for (const same of ["Alice-7", " alice-7 ", "ａｌｉｃｅ－７", "ALICE-7\u3000"]) {
    assert.ok(equalBytes(userIdDigest(same), digest), same);
  }
  assert.ok(equalBytes(userIdDigest("ハナコ"), userIdDigest("ﾊﾅｺ")), "half-width kana");
  for (const other of ["alice-8", "alice7", "alice -7", "", "alice-7\0", "a"]) {
    assert.ok(!equalBytes(userIdDigest(other), digest), other);
  }
});
