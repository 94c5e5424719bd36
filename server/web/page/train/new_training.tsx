// A training before it begins: the form and its YAML side by side, what would be trained, and the button that starts it.
import { useSignal, useSignalEffect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useId } from "preact/hooks";
import { Eye, Play } from "lucide";
import { createJob } from "../api/jobs";
import { chatModels, modelsKnown, refreshModels } from "../api/models";
import { Icon } from "../parts/icon";
import { notify, notifyError } from "../shell/notices";
import { go } from "../shell/route";
import { check } from "./checked";
import { DatasetPicker } from "./dataset_picker";
import { listTrouble, ownDirectory, refreshDatasets, workingDirectory } from "./datasets";
import { change, draft, read, rename, unusedName } from "./draft";
import { fieldsOf, purposeOf, type Purpose, type Section } from "./fields";
import { FieldView } from "./field_view";
import { noteJob } from "./jobs";
import { ModelField, StageField, TemplateField } from "./model_fields";
import { trainingSpec } from "./new_specs";
import { PreviewDialog } from "./preview_view";
import { t } from "./text";
import { YamlEditor } from "./yaml_editor";

type TitledSection = Exclude<Section, "model" | "output">;

function Fields({ section, rare }: { section: Section; rare: boolean }) {
  return (
    <>
      {fieldsOf(section, read.value.values, rare).map((field) => (
        <FieldView key={field.key} field={field} />
      ))}
    </>
  );
}

function More({ section }: { section: Section }) {
  if (fieldsOf(section, read.value.values, true).length === 0) return null;
  return (
    <details>
      <summary>{t("moreFields")}</summary>
      <div class="settings">
        <Fields section={section} rare />
      </div>
    </details>
  );
}

function purpose(): Purpose {
  return purposeOf(read.value.values);
}

/** A section with its fields; the rare ones behind "More", or `whole`: all of them at once. */
function Part({ section, whole, children }: { section: TitledSection; whole?: boolean; children?: ComponentChildren }) {
  return (
    <section>
      <h2>{t(section)}</h2>
      {children}
      <div class="settings">
        <Fields section={section} rare={false} />
        {whole && <Fields section={section} rare />}
      </div>
      {!whole && <More section={section} />}
    </section>
  );
}

function TrainingParts() {
  return (
    <>
      <Part section="data">
        <DatasetPicker />
      </Part>
      <Part section="method" />
      <Part section="training" />
      <Part section="evaluation" />
    </>
  );
}

function PredictionParts() {
  return (
    <>
      <Part section="data" whole />
      <Part section="evaluation" />
    </>
  );
}

function ExportParts() {
  return <Part section="export" />;
}

function QuestionParts() {
  return <Part section="questions" />;
}

const PARTS = {
  training: TrainingParts,
  prediction: PredictionParts,
  questions: QuestionParts,
  export: ExportParts,
};

function Form() {
  const isTraining = purpose() === "training";
  const Parts = PARTS[purpose()];
  return (
    <fieldset class="form" disabled={read.value.problem !== null}>
      <section>
        <h2>{t("model")}</h2>
        <div class="settings">
          <ModelField />
          {isTraining && <StageField />}
          <TemplateField />
          <Fields section="model" rare={!isTraining} />
        </div>
        {isTraining && <More section="model" />}
      </section>
      <Parts />
    </fieldset>
  );
}

function useStart() {
  const isStarting = useSignal(false);
  const start = async () => {
    const { spec, name } = draft.value;
    const directory = workingDirectory();
    const wanted = name || unusedName("tuned");
    isStarting.value = true;
    try {
      const job = await createJob({ spec, name: wanted, ...(directory ? { directory } : {}) });
      noteJob(job);
      notify(t("started", { name: wanted }));
      rename(unusedName(wanted)); // the next one gets a place of its own
      go("train", job.id);
    } catch (error) {
      notifyError(error);
    } finally {
      isStarting.value = false;
    }
  };
  return { isStarting, start };
}

function Start() {
  const id = useId();
  const isPreviewed = useSignal(false);
  const { isStarting, start } = useStart();
  const { name, directory } = draft.value;
  const { values, problem } = read.value;
  const { state } = check.value;
  const canStart = !problem && state !== "incomplete" && state !== "bad" && !isStarting.value;
  const isTraining = purpose() === "training";
  return (
    <form
      class="start"
      onSubmit={(event) => {
        event.preventDefault();
        void start();
      }}
    >
      <div class="field setting">
        <label for={id}>{t("name")}</label>
        <input
          id={id}
          type="text"
          maxLength={100}
          spellcheck={false}
          aria-describedby={`${id}-hint`}
          value={name}
          onChange={(event) => rename(event.currentTarget.value)}
        />
        <span class="hint" id={`${id}-hint`}>
          {t("nameHint", { output: String(values.output_dir ?? values.export_dir ?? "…") })}
        </span>
      </div>
      <details>
        <summary>{t("directory")}</summary>
        <div class="field setting">
          <input
            type="text"
            aria-label={t("directory")}
            aria-describedby={`${id}-directory`}
            spellcheck={false}
            value={directory}
            onChange={(event) => change({ directory: event.currentTarget.value.trim() })}
          />
          <span class="hint" id={`${id}-directory`}>
            {t("directoryHint")}
          </span>
        </div>
      </details>
      <div class="buttons">
        {isTraining && (
          <button
            type="button"
            disabled={problem !== null || state === "incomplete"}
            onClick={() => (isPreviewed.value = true)}
          >
            <Icon of={Eye} />
            {t("show")}
          </button>
        )}
        <button class="primary" disabled={!canStart}>
          <Icon of={Play} />
          {t(isTraining ? "startTraining" : "startPrediction")}
        </button>
      </div>
      <PreviewDialog open={isPreviewed.value} onClose={() => (isPreviewed.value = false)} />
    </form>
  );
}

const TITLES = { training: "newTraining", prediction: "evaluation", questions: "questions", export: "export" } as const;

function hasBegun(): boolean {
  return draft.value.spec !== "" || draft.value.name !== "";
}

export function NewTraining() {
  useEffect(() => {
    void refreshModels().catch(notifyError);
    if (!ownDirectory.value) void refreshDatasets("");
  }, []);
  // A draft begins when it is known what there is to begin with.
  useSignalEffect(() => {
    const isKnown = modelsKnown.value && (ownDirectory.value !== "" || listTrouble.value !== null);
    if (hasBegun() || !isKnown) return;
    const model = chatModels().find(({ parent }) => !parent)?.id ?? "";
    change({ spec: trainingSpec(model, ownDirectory.value, unusedName("tuned")) });
  });
  return (
    <>
      <h1>{t(TITLES[purpose()])}</h1>
      {hasBegun() ? (
        <div class="new-training">
          <Form />
          <div class="beside">
            <YamlEditor />
            <Start />
          </div>
        </div>
      ) : (
        <p class="quiet">{t("loading")}</p>
      )}
    </>
  );
}
