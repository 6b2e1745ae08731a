// What a browser still shows after somebody signed out.
import { alive, expect, signIn, test } from "./support";

test("nobody sees a private page by going back after somebody signed out", async ({ page, js }) => {
  await signIn(page, js, "mira", "/customers/1");
  const name = await page.getByRole("heading", { level: 1 }).innerText();
  await page.goto("/customers");
  await alive(page, js);
  await page.getByRole("button", { name: /menu/ }).last().click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/sign-in");
  for (let step = 0; step < 2; step++) {
    await page.goBack();
    await expect(page).toHaveURL(/\/sign-in/);
    await expect(page.getByLabel("Password")).toBeVisible();
    await expect(page.getByText(name)).toHaveCount(0);
  }
});
