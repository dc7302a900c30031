// The page of a report: what its scripts show, and what they hand out.

import { explain, explanations } from "./explain.js";
import { showFilters } from "./filters.js";
import { showInside } from "./inside.js";
import { patchOf, report, valuesOf } from "./values.js";

// For the browser's console.
globalThis.striateReport = { report, valuesOf, explain, patchOf, explained: Object.keys(explanations) };

showFilters(document.getElementById("filters-view"));
showInside(document.getElementById("inside-view"));
