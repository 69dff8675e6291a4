// Protection is turned on by what the camera would see, used, and turned off again.
"use strict";

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { code, expect, given, keyboard, look, opened, origin, portrait, prove, run, script, signIn } = require("./person.cjs");

async function turnOn(page) {
  await page.getByRole("link", { name: "Turn on protection" }).click();
  await look(page, "turn-on");
  await page.getByRole("button", { name: "Continue" }).click();
  await look(page, "add-device");
  await page.getByLabel("Name of the device").fill("Phone");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.locator("summary").click();
  await look(page, "scan");
  await keyboard(page, "scan");
  await page.locator("summary").click();
  await portrait(page, "scan", { width: 360, height: 740, colorScheme: "light" });
  const shot = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "otpd-qr-")), "qr.png");
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.locator("#qr").screenshot({ path: shot });
  const seen = execFileSync("zbarimg", ["-q", "--raw", shot]).toString().trim();
  fs.rmSync(path.dirname(shot), { recursive: true });
  expect(seen.startsWith("otpauth://totp/"), `the camera sees ${seen}`);
  const key = new URL(seen).searchParams.get("secret");
  const shown = (await page.locator("#key").textContent()).replace(/\s/g, "");
  expect(shown === key, `the key beside it is ${shown}, the picture has ${key}`);
  if (script) {
    expect(/left$/.test(await page.locator(".countdown").textContent()), "the countdown counts");
    await page.getByRole("button", { name: "Copy" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    expect((await page.evaluate(() => navigator.clipboard.readText())) === key, "the key was copied");
  } else {
    expect(await page.locator("button.copy").isHidden(), "nothing is offered that needs a script");
  }
  await page.getByLabel("Code from the new device").fill("000000");
  await page.getByRole("button", { name: "Bind this device" }).click();
  await page.getByRole("alert").waitFor();
  await look(page, "scan-wrong");
  await prove(page, key);
  await page.getByRole("heading", { name: "Save your recovery codes" }).waitFor();
  await look(page, "codes");
  await portrait(page, "codes", { width: 360, height: 740, colorScheme: "dark" });
  return key;
}

async function saveCodes(page) {
  const codes = await page.locator(".codes code").allTextContents();
  expect(codes.length === 10, `${codes.length} recovery codes`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
  const sheet = fs.readFileSync(await download.path(), "utf8");
  expect(codes.every((one) => sheet.includes(one)), "all codes are in the file");
  const label = page.getByLabel(/last four characters of code/);
  const number = Number(/code (\d+)/.exec(await page.locator("label[for=group]").textContent())[1]);
  await page.getByLabel("I have saved them").check();
  await label.fill(codes[number - 1].slice(-4));
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("heading", { level: 1, name: "Login protection is on" }).waitFor();
  await look(page, "protected");
}

async function pages(page) {
  for (const act of ["rename-device?id=1", "replace-device?id=1", "remove-device?id=1", "resync-device?id=1", "new-codes", "turn-off"]) {
    await page.goto(`${origin}/account/${act}`);
    await look(page, act.split("?")[0]);
  }
}

async function chinese(browser) {
  const { context, page } = await opened(browser, { locale: "zh-CN" });
  await page.goto(`${origin}/sign-in`);
  expect((await page.locator("h1").textContent()).startsWith("登录"), "the page is in Chinese");
  await look(page, "sign-in-zh");
  await page.getByLabel("用户名").fill(given.user);
  await page.getByLabel("密码").fill(given.password);
  await page.keyboard.press("Enter");
  await page.getByLabel("应用中的验证码").waitFor();
  await look(page, "code-zh");
  await context.close();
}

run(async (browser) => {
  const { context, page } = await opened(browser, { permissions: ["clipboard-read", "clipboard-write"], acceptDownloads: true });
  await page.goto(`${origin}/sign-in`);
  await look(page, "sign-in");
  await keyboard(page, "sign-in");
  await signIn(page);
  await page.getByRole("heading", { name: "Login protection is off" }).waitFor();
  for (const cookie of await context.cookies()) {
    expect(cookie.httpOnly && cookie.secure && cookie.sameSite === "Strict" && cookie.name.startsWith("__Host-"), `the cookie ${cookie.name}`);
  }
  await look(page, "account-off");
  const key = await turnOn(page);
  await saveCodes(page);
  await page.getByRole("link", { name: "To the account page" }).click();
  await look(page, "account-on");
  await keyboard(page, "account-on");
  await pages(page);
  await page.goto(`${origin}/no-such-page`);
  await look(page, "not-found");
  await page.goto(`${origin}/account`);
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await page.getByText("You have signed out").waitFor();

  await signIn(page);
  const field = page.getByLabel("Code from your app");
  expect((await field.getAttribute("autocomplete")) === "one-time-code", "phones fill the code in");
  expect(await field.evaluate((input) => input === document.activeElement), "the field is where one types");
  await page.locator("summary").click();
  await look(page, "code");
  await page.getByRole("link", { name: "Use a recovery code" }).click();
  await look(page, "code-recovery");
  await page.getByRole("link", { name: "Use the code from your app" }).click();
  await field.fill("000000");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  await look(page, "wrong-code");
  await signIn(page);
  await field.fill(code(key, 0));
  await page.keyboard.press("Enter");
  await page.getByText("You signed in with Phone").waitFor();
  await chinese(browser);
  await page.getByRole("link", { name: "Turn off…" }).click();
  await page.getByLabel("Code from your app").fill(code(key, 1));
  await page.getByRole("button", { name: "Turn protection off" }).click();
  await page.getByRole("status").waitFor();
  await page.getByRole("heading", { name: "Login protection is off" }).waitFor();
});
