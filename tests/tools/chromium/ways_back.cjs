// A secure email, a lost phone, a code by mail, another phone, wrong codes, and other browsers.
"use strict";

const { both, code, desk, expect, keyboard, look, mailed, opened, origin, phone, portrait, prove, run, signIn } = require("./person.cjs");

const title = (page, name) => page.getByRole("heading", { level: 1, name });

async function confirmEmail(page) {
  await title(page, "Confirm the address").waitFor();
  await page.getByLabel("Code from the mail").fill(await mailed("Confirm this address"));
  await page.keyboard.press("Enter");
}

async function bind(page) {
  const key = (await page.locator("#key").textContent()).replace(/\s/g, "");
  await prove(page, key);
  return key;
}

async function turnOn(page) {
  await page.goto(`${origin}/account/turn-on`);
  await both(page, "turn-on-with-mail");
  await page.getByRole("button", { name: "Continue" }).click();
  await title(page, "Secure email").waitFor();
  await both(page, "add-email-turning-on");
  await page.getByLabel("Address").fill("alice@example.org");
  await page.keyboard.press("Enter");
  await title(page, "Confirm the address").waitFor();
  await both(page, "confirm-email-turning-on");
  await page.getByLabel("Code from the mail").fill("AAAA-AAAA");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  await look(page, "confirm-email-wrong");
  await confirmEmail(page);
  await page.getByLabel("Name of the device").fill("Phone");
  await page.keyboard.press("Enter");
  const key = await bind(page);
  await title(page, "Save your recovery codes").waitFor();
  const codes = await page.locator(".codes code").allTextContents();
  await both(page, "codes-after-email");
  const number = Number(/code (\d+)/.exec(await page.locator("label[for=group]").textContent())[1]);
  await page.getByLabel("I have saved them").check();
  await page.getByLabel(/last four characters of code/).fill(codes[number - 1].slice(-4));
  await page.keyboard.press("Enter");
  await title(page, "Login protection is on").waitFor();
  await both(page, "protected-with-email");
  return key;
}

async function secondEmail(page, key) {
  await page.goto(`${origin}/account`);
  await page.getByRole("link", { name: "Add a secure email" }).click();
  await both(page, "add-email");
  await page.getByLabel("Address").fill("a-rather-long-name-of-a-mailbox@a-rather-long-name-of-a-domain.example.org");
  await page.getByLabel("Code from your app").fill("000000");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  expect((await page.getByLabel("Address").inputValue()).startsWith("a-rather"), "the address is kept");
  expect((await page.getByLabel("Code from your app").inputValue()) === "", "the code is not");
  expect(await page.getByLabel("Code from your app").evaluate((it) => it === document.activeElement), "the code is to be typed again");
  await look(page, "add-email-wrong-code");
  await page.getByLabel("Code from your app").fill(code(key, 0));
  await page.keyboard.press("Enter");
  await title(page, "Confirm the address").waitFor();
  await both(page, "confirm-email");
  await page.goto(`${origin}/account`);
  await both(page, "account-email-pending");
  await page.getByRole("link", { name: "Confirm" }).click();
  await confirmEmail(page);
  await page.getByRole("status").waitFor();
  await both(page, "account-two-emails");
}

async function removeEmail(page) {
  await page.getByRole("link", { name: "Remove a-rather" }).click();
  await title(page, "Remove a secure email").waitFor();
  await both(page, "remove-email");
  expect((await page.getByLabel("Code from your app").count()) === 0, "after a recovery no code is needed");
  await page.getByRole("button", { name: "Remove" }).click();
  await page.getByText("The address is removed.").waitFor();
}

async function comeBackByMail(page) {
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await page.getByText("You have signed out").waitFor();
  await look(page, "sign-in-left");
  await signIn(page);
  await page.locator("summary").click();
  await page.getByRole("button", { name: "Send me a code by mail" }).click();
  await page.getByText("a***@e***.org").waitFor();
  await both(page, "code-mailed");
  await page.getByRole("textbox").fill(await mailed("login code"));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Bind a new device" }).waitFor();
  await both(page, "account-recovered");
  await keyboard(page, "account-recovered");
}

async function bindAnother(page) {
  await page.getByRole("link", { name: "Add a device" }).first().click();
  await both(page, "add-device-recovered");
  await page.getByLabel("Name of the device").fill("A phone with a very long name 12");
  await page.keyboard.press("Enter");
  await title(page, "Bind your device").waitFor();
  const key = await bind(page);
  await page.getByText("The device is bound").waitFor();
  await both(page, "account-rebound");
  await page.getByRole("link", { name: "Remove Phone" }).click();
  await both(page, "remove-lost-device");
  await page.getByLabel("Code from your app").fill(code(key, 0));
  await page.getByRole("button", { name: "Remove" }).click();
  await page.getByText("The device is removed.").waitFor();
  return key;
}

async function otherBrowsers(browser, page, key) {
  const agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
  const other = await opened(browser, { userAgent: agent, viewport: phone, hasTouch: true, isMobile: true });
  await signIn(other.page);
  await other.page.getByLabel("Code from your app").fill(code(key, 1));
  await other.page.keyboard.press("Enter");
  await other.page.getByText("You signed in with A phone").waitFor();
  await page.goto(`${origin}/account`);
  await both(page, "account-two-browsers");
  await portrait(page, "account", { width: 820, height: 760, colorScheme: "light" });
  await page.goto(`${origin}/account/end-others`);
  await both(page, "end-others");
  await page.goto(`${origin}/account`);
  await page.getByRole("link", { name: "Sign out Safari, iPhone" }).click();
  await both(page, "end-sign-in");
  await page.getByRole("button", { name: "Sign out a browser" }).click();
  await page.getByText("Signed out there.").waitFor();
  await other.page.goto(`${origin}/account`);
  await other.page.getByText("You are signed out").waitFor();
  await look(other.page, "sign-in-signed-out");
  await other.context.close();
}

// Wrong codes at logins elsewhere, until none is looked at; who is signed in opens it again.
async function unlock(browser, page) {
  const other = await opened(browser);
  for (let tries = 0; tries < 4; tries += 1) {
    await signIn(other.page);
    await other.page.getByLabel("Code from your app").fill("000000");
    await other.page.keyboard.press("Enter");
    await other.page.getByRole("alert").waitFor();
  }
  await signIn(other.page);
  await other.page.getByText("none from an app is looked at until").waitFor();
  await page.goto(`${origin}/account`);
  await page.getByRole("heading", { name: "Codes are not taken everywhere" }).waitFor();
  await look(page, "account-locked");
  await both(other.page, "code-locked");
  await other.context.close();
  await page.getByRole("link", { name: "Unlock" }).click();
  await both(page, "unlock");
}

run(async (browser) => {
  const { page } = await opened(browser, { viewport: desk });
  await signIn(page);
  await page.getByRole("heading", { name: "Login protection is off" }).waitFor();
  await secondEmail(page, await turnOn(page));
  await comeBackByMail(page);
  await removeEmail(page);
  const key = await bindAnother(page);
  await otherBrowsers(browser, page, key);
  await unlock(browser, page);
});
