// An administrator at work: every page of the administration, in both languages.
"use strict";

const { both, code, desk, given, keyboard, look, opened, origin, portrait, run, signIn } = require("./person.cjs");

const acts = ["unlock", "reset", "turn-off", "end-sign-ins"];

async function accounts(page) {
  await page.getByRole("link", { name: "Administration" }).click();
  await both(page, "admin-accounts");
  await keyboard(page, "admin-accounts");
  await portrait(page, "accounts", { width: 1100, height: 620, colorScheme: "dark" });
  await page.getByRole("link", { name: "Next" }).click();
  await page.getByRole("link", { name: "Previous" }).waitFor();
  await both(page, "admin-accounts-next");
  await page.getByRole("link", { name: "Previous" }).click();
  await page.getByLabel("Name begins with").fill("bo");
  await page.getByLabel("State").selectOption("protected");
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByRole("link", { name: "bob" }).waitFor();
  await both(page, "admin-accounts-found");
  await page.getByLabel("Name begins with").fill("nobody");
  await page.getByRole("button", { name: "Show" }).click();
  await both(page, "admin-accounts-none");
}

async function oneAccount(page) {
  await page.goto(`${origin}/admin/account?user=alice`);
  await both(page, "admin-account");
  await keyboard(page, "admin-account");
  await page.goto(`${origin}/admin/account?user=carol`);
  await both(page, "admin-account-own");
  await page.goto(`${origin}/admin/account?user=dave`);
  await both(page, "admin-account-none");
  for (const act of acts) {
    await page.goto(`${origin}/admin/do/${act}?user=alice`);
    await both(page, `admin-${act}`);
  }
}

async function stepUp(page) {
  await page.goto(`${origin}/admin/do/unlock?user=bob`);
  await page.getByLabel("Your own code").fill("000000");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  await look(page, "admin-unlock-wrong-code");
  await page.getByLabel("Your own code").fill(code(given.key, 0));
  await page.keyboard.press("Enter");
  await page.getByText("Wrong codes of this account are forgotten.").waitFor();
  await both(page, "admin-account-unlocked");
}

async function enrolCode(page) {
  await page.goto(`${origin}/admin/account?user=dave`);
  await page.getByRole("link", { name: "Make an enrol code" }).click();
  await both(page, "admin-enrol-code");
  await page.getByRole("button", { name: "Make an enrol code" }).click();
  await page.getByText("Read this code out to dave").waitFor();
  await both(page, "admin-enrol-code-made");
  await page.getByRole("button", { name: "It was read out" }).click();
}

async function policy(page) {
  await page.getByRole("link", { name: "Policy" }).click();
  await both(page, "admin-policy");
  await page.getByLabel("Group").fill("staff");
  await page.getByLabel("Days of grace").fill("7");
  await page.getByRole("button", { name: "Look" }).click();
  await page.getByRole("link", { name: "Require protection of staff" }).waitFor();
  await both(page, "admin-policy-tried");
  await page.getByRole("link", { name: "Require protection of staff" }).click();
  await both(page, "admin-policy-require");
  await page.getByRole("button", { name: "Require protection of staff" }).click();
  await page.getByText("Protection is required of the group").waitFor();
  await both(page, "admin-policy-required");
  await page.getByRole("link", { name: "Release staff" }).click();
  await both(page, "admin-policy-release");
  await page.getByRole("button", { name: "Release staff" }).click();
  await page.getByText("The group is released").waitFor();
  await page.goto(`${origin}/admin/policy?group=no-such-group&days=7`);
  await both(page, "admin-policy-no-group");
}

async function audit(page) {
  await page.getByRole("link", { name: "Audit log" }).click();
  await page.getByRole("heading", { level: 1, name: "Audit log" }).waitFor();
  await both(page, "admin-audit");
  await page.goto(`${origin}/admin/audit?user=alice&verdict=refuse`);
  await both(page, "admin-audit-of-one");
  await page.goto(`${origin}/admin/audit?since=2099-01-01`);
  await both(page, "admin-audit-none");
}

async function health(page) {
  await page.getByRole("link", { name: "Health" }).click();
  await both(page, "admin-health");
  await page.getByLabel("Send a test mail to").fill("carol@example.org");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("status").waitFor();
  await both(page, "admin-health-test");
}

run(async (browser) => {
  const { page } = await opened(browser, { viewport: desk });
  // A recovery code lets in, and is no code of a device: the administration asks for one.
  await signIn(page);
  await page.getByRole("textbox").fill(given.recoveryCode);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Account security" }).waitFor();
  await accounts(page);
  await oneAccount(page);
  await page.goto(`${origin}/admin/audit`);
  await both(page, "admin-prove");
  await stepUp(page);
  await enrolCode(page);
  await policy(page);
  await audit(page);
  await health(page);
});
