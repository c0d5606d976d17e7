// Before the page is drawn: the scheme that was chosen, if any.
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch (error) { /* Where nothing may be stored, the system decides. */ }
