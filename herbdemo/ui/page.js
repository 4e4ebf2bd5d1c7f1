// Language and darkness, set before anything is drawn and remembered in this browser.
(() => {
  const root = document.documentElement;
  const recall = (key) => { try { return localStorage.getItem(`herb-${key}`); } catch { return null; } };
  const remember = (key, value) => { try { localStorage.setItem(`herb-${key}`, value); } catch { /* private mode */ } };

  // Language: our own texts carry both (texts.py) and the style sheet shows one; attributes carry
  // data-zh-* and data-en-*; texts of Gradio's components are swapped by the dictionary.
  const toEnglish = new Map(Object.entries(DICTIONARY));
  const toChinese = new Map([...toEnglish].map(([zh, en]) => [en, zh]));
  const ATTRIBUTES = ["alt", "title", "aria-label", "placeholder", "label"];
  let language = recall("language") ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");

  function translateText(node) {
    const text = node.data.trim();
    const twin = (language === "en" ? toEnglish : toChinese).get(text);
    if (twin && !node.parentElement?.closest("[lang]:not(html), script, style, textarea, [contenteditable]")) {
      node.data = node.data.replace(text, twin);
    }
  }
  function translate(node) {
    if (node.nodeType === Node.TEXT_NODE) return translateText(node);
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) translateText(texts.currentNode);
    for (const name of ATTRIBUTES) {
      const selector = `[data-${language}-${name}]`;
      const elements = [...node.querySelectorAll(selector)];
      if (node.matches(selector)) elements.push(node);
      for (const element of elements) translateAttribute(element, name);
    }
  }
  function translateAttribute(element, name) {
    const wanted = element.getAttribute(`data-${language}-${name}`);
    if (wanted !== null && wanted !== element.getAttribute(name)) element.setAttribute(name, wanted);
  }
  function speak(wanted) {
    language = wanted;
    root.dataset.lang = wanted;
    root.lang = wanted === "zh" ? "zh-CN" : "en";
    if (document.body) translate(document.body);
  }

  // Darkness: Gradio's themes look for the class `dark` on the body.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const shade = () => {
    const wanted = recall("shade") ?? (dark.matches ? "dark" : "light");
    document.body?.classList.toggle("dark", wanted === "dark");
    root.style.colorScheme = wanted;
    root.dataset.shade = wanted;
  };
  dark.addEventListener("change", shade);

  function begin() {
    shade();
    speak(language);
    new MutationObserver((changes) => {
      for (const { type, target, addedNodes, attributeName } of changes) {
        if (type === "characterData") translateText(target);
        else if (type === "attributes") translateAttribute(target, attributeName); // Gradio patches what stands
        else addedNodes.forEach(translate);
      }
    }).observe(document.body, { subtree: true, childList: true, characterData: true, attributeFilter: ATTRIBUTES });
    new MutationObserver(() => {
      if (document.body.classList.contains("dark") !== (root.dataset.shade === "dark")) shade();
    }).observe(document.body, { attributeFilter: ["class"] });
  }
  // From anywhere to another tab, which hears what is wanted there. Gradio builds a tab when it is
  // first opened, so those who shall hear may have to come first.
  const tabs = "#pages > .tab-wrapper ";
  const open = async (name) => (await there(() => document.querySelector(`${tabs}[data-tab-id="${name}"]`)))?.click();
  async function goTo(detail) {
    const hearers = `[data-hears="${detail.goto}"], [data-takes="${detail.goto}"]`;
    const listens = (hearer) => "hearing" in hearer.dataset;
    await open(detail.goto);
    await there(() => {
      const all = [...document.querySelectorAll(hearers)];
      return all.length && all.every(listens);
    });
    document.dispatchEvent(new CustomEvent("herb:goto", { detail }));
    scrollTo({ top: 0 });
  }
  async function there(look) {
    for (let tries = 200; tries; tries--) { // ten seconds
      const found = look();
      if (found) return found;
      await new Promise((wake) => setTimeout(wake, 50));
    }
  }
  // The browser's way back leads to the tab that people were sent from.
  function leave(detail) {
    history.replaceState({ tab: document.querySelector(`${tabs}[aria-selected="true"]`)?.dataset.tabId }, "");
    history.pushState({ tab: detail.goto }, "");
    goTo(detail);
  }
  addEventListener("popstate", ({ state }) => { if (state?.tab) open(state.tab); });
  // The page of a herb has an address: …/#herb=金银花
  function follow() {
    const herb = new URLSearchParams(location.hash.slice(1)).get("herb");
    if (herb) goTo({ goto: "herbs", herb });
    else document.querySelector("#herb-page [data-dismiss]")?.click();
  }
  addEventListener("hashchange", follow);
  follow();
  speak(language);
  if (document.body) begin(); // Gradio adds this script when the page already stands
  else document.addEventListener("DOMContentLoaded", begin);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-speak], [data-shade-switch], [data-open-api], [data-goto]");
    if (!button) return;
    if ("goto" in button.dataset) leave({ ...button.dataset });
    else if ("openApi" in button.dataset) document.querySelector("footer .show-api")?.click();
    else if (button.dataset.speak) {
      remember("language", button.dataset.speak);
      speak(button.dataset.speak);
    } else {
      remember("shade", root.dataset.shade === "dark" ? "light" : "dark");
      shade();
    }
  });
})();
