// Made by npm run client:generate; changes are lost.

export interface paths {
    "/v1/runs/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel a run
         * @description Repeating it is harmless, and so is cancelling a run that has ended. A run that a worker has ends within seconds; follow its events or read it again.
         */
        post: operations["cancelRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pause a run
         * @description Nothing further is begun; what a worker has begun is done first. The hold of credits stays. Repeating it is harmless. 409 where the run has ended.
         */
        post: operations["pauseRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Let a paused run go on
         * @description It goes back into the waiting line, or goes on at once where the pause was only on its way. Repeating it is harmless. 409 where the run has ended.
         */
        post: operations["resumeRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/fork": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start a run from a step of another, with edits
         * @description The new run has a hold of its own. Steps before `from_step` that have completed are taken over with their results, and not billed again, unless they were edited or wait for one that was. Files that they have kept lie in the new workspace; what they left there without keeping it does not.
         */
        post: operations["forkRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Do a run again from a step on
         * @description A fork without edits; without `from_step` from the first step that has not completed.
         */
        post: operations["retryRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Try a run from its recorded results
         * @description A dry run: no tool is called, nothing is written or billed. Says where the run would differ.
         */
        post: operations["replayRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/questions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List what a run has asked its user, oldest first
         * @description Questions of the `human` tool and approvals that calls of tools need.
         */
        get: operations["listQuestions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/questions/{question_id}/answer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Answer a question of a run
         * @description The answer is one of the choices, or fits the schema, where the question has them; an approval takes `approve` or `deny`. The same answer again is harmless; another one, or one that comes too late, is refused with 409.
         */
        post: operations["answerQuestion"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List runs, newest first
         * @description Filters are joined by “and”. `status` and `mode` take several values with commas between them.
         */
        get: operations["listRuns"];
        put?: never;
        /**
         * Start a run
         * @description Give a playbook or a goal. Everything that can be checked is checked before credits are held: a playbook that cannot run is refused with 422, and the problem names the step.
         */
        post: operations["createRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read a run */
        get: operations["getRun"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/steps": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the steps of a run in order */
        get: operations["listSteps"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the conversation of a goal run in order */
        get: operations["listMessages"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/artifacts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the files of a run */
        get: operations["listArtifacts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow the events of a run
         * @description Server-sent events. The id of each is its place in the run (`run_seq`); come back with `Last-Event-ID`, or `after`, and nothing is missed or repeated. The stream ends after the closing event.
         */
        get: operations["followRun"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/artifacts/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read an artifact and get a link to its content
         * @description The link needs no token and stops working at `url_expires_at`.
         */
        get: operations["getArtifact"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/artifacts/{id}/content": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Download an artifact by its link */
        get: operations["getArtifactContent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/artifacts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List your files, newest first */
        get: operations["listUserArtifacts"];
        put?: never;
        /**
         * Upload a file
         * @description The body is the content itself. Give the id to runs as an input, `{"artifact_id": …}`: they keep what they were given, an upload goes by itself after some days.
         */
        post: operations["uploadArtifact"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tools": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the tools of this installation
         * @description With the schema of their input, and for a tool that cannot be used the reason and what to set.
         */
        get: operations["listTools"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read what a run has used, by model and tool
         * @description With the runs below it, unless `tree=false`.
         */
        get: operations["getRunUsage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read what your runs of a time have used, by model and tool */
        get: operations["getUsage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/memory": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List or search what agents keep for you
         * @description Last changed first; with `query` the best matches, in one page.
         */
        get: operations["listMemory"];
        put?: never;
        /**
         * Keep something under a key
         * @description Instead of what the key held before.
         */
        post: operations["saveMemory"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/memory/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Forget something */
        delete: operations["deleteMemory"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete the user and everything of theirs
         * @description Ends all runs, then deletes files, runs, memories, connections, research, schedules and documents for good. What remains is the ledger of credits under the id alone, and the record of this deletion. It cannot be undone. Asking again changes nothing.
         */
        delete: operations["deleteMe"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/me/deletion": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How far the deletion of the user is
         * @description Works with the token of a user who is gone, for as long as the token is valid.
         */
        get: operations["getDeletion"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/dead-letters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List dead events */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    cursor?: string;
                    consumer?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: {
                                sequence: number;
                                consumer: string;
                                error: string;
                                attempts: number | null;
                                /** Format: date-time */
                                died_at: string;
                                subject: string | null;
                                stream_sequence: number | null;
                                event: {
                                    id: string | null;
                                    type: string | null;
                                    version: string | null;
                                    source: string | null;
                                    time: string | null;
                                    user_id: string | null;
                                    root_id: string | null;
                                };
                            }[];
                            next_cursor: string | null;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/dead-letters/{sequence}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a dead event */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    sequence: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            sequence: number;
                            consumer: string;
                            error: string;
                            attempts: number | null;
                            /** Format: date-time */
                            died_at: string;
                            subject: string | null;
                            stream_sequence: number | null;
                            event: {
                                id: string | null;
                                type: string | null;
                                version: string | null;
                                source: string | null;
                                time: string | null;
                                user_id: string | null;
                                root_id: string | null;
                            };
                            headers: {
                                [key: string]: string[];
                            };
                            body: string;
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Drop a dead event for good */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    sequence: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/dead-letters/{sequence}/redrive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Give a dead event to its consumer again */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description One key is one effect: a repeat within a day gets the first answer */
                    "idempotency-key"?: string;
                };
                path: {
                    sequence: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            sequence: number;
                            consumer: string;
                            event_id: string;
                            /** @enum {string} */
                            outcome: "done" | "duplicate";
                        };
                    };
                };
                /** @description Why it could not be done */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description Problem details (RFC 9457) */
        Problem: {
            /** @description A URI that names the kind of problem */
            type: string;
            title: string;
            status: number;
            /** @description What is wrong, where, and what to do */
            detail: string;
            /** @description A short name that a program can branch on */
            code: string;
            /** @description The path that was asked */
            instance?: string;
        } & {
            [key: string]: unknown;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    cancelRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description One key is one effect: a repeat within a day gets the first answer */
                "idempotency-key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: uuid */
                        id: string;
                        /** @enum {string} */
                        kind: "playbook" | "goal";
                        /** @enum {string} */
                        mode: "general" | "chat" | "research" | "wide_research" | "coding" | "data_analysis" | "writing" | "presentation" | "design" | "browser" | "automation" | "playbook";
                        title: string;
                        goal: string | null;
                        /** @enum {string} */
                        status: "pending" | "queued" | "planning" | "running" | "waiting_input" | "paused" | "completed" | "failed" | "cancelled" | "timed_out";
                        cancel_requested: boolean;
                        pause_reason: ("user" | "credits") | null;
                        parent_run_id: string | null;
                        /** Format: uuid */
                        root_run_id: string;
                        forked_from: string | null;
                        attempt: number;
                        run_seq: number;
                        steps: {
                            total: number;
                            open: number;
                            completed: number;
                            failed: number;
                        };
                        credits: {
                            held: string;
                            consumed: string;
                            budget: string | null;
                        };
                        output: unknown;
                        error: {
                            code: string;
                            message: string;
                        } | null;
                        /** Format: date-time */
                        created_at: string;
                        queued_at: string | null;
                        started_at: string | null;
                        finished_at: string | null;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pauseRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description One key is one effect: a repeat within a day gets the first answer */
                "idempotency-key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: uuid */
                        id: string;
                        /** @enum {string} */
                        kind: "playbook" | "goal";
                        /** @enum {string} */
                        mode: "general" | "chat" | "research" | "wide_research" | "coding" | "data_analysis" | "writing" | "presentation" | "design" | "browser" | "automation" | "playbook";
                        title: string;
                        goal: string | null;
                        /** @enum {string} */
                        status: "pending" | "queued" | "planning" | "running" | "waiting_input" | "paused" | "completed" | "failed" | "cancelled" | "timed_out";
                        cancel_requested: boolean;
                        pause_reason: ("user" | "credits") | null;
                        parent_run_id: string | null;
                        /** Format: uuid */
                        root_run_id: string;
                        forked_from: string | null;
                        attempt: number;
                        run_seq: number;
                        steps: {
                            total: number;
                            open: number;
                            completed: number;
                            failed: number;
                        };
                        credits: {
                            held: string;
                            consumed: string;
                            budget: string | null;
                        };
                        output: unknown;
                        error: {
                            code: string;
                            message: string;
                        } | null;
                        /** Format: date-time */
                        created_at: string;
                        queued_at: string | null;
                        started_at: string | null;
                        finished_at: string | null;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resumeRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description One key is one effect: a repeat within a day gets the first answer */
                "idempotency-key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: uuid */
                        id: string;
                        /** @enum {string} */
                        kind: "playbook" | "goal";
                        /** @enum {string} */
                        mode: "general" | "chat" | "research" | "wide_research" | "coding" | "data_analysis" | "writing" | "presentation" | "design" | "browser" | "automation" | "playbook";
                        title: string;
                        goal: string | null;
                        /** @enum {string} */
                        status: "pending" | "queued" | "planning" | "running" | "waiting_input" | "paused" | "completed" | "failed" | "cancelled" | "timed_out";
                        cancel_requested: boolean;
                        pause_reason: ("user" | "credits") | null;
                        parent_run_id: string | null;
                        /** Format: uuid */
                        root_run_id: string;
                        forked_from: string | null;
                        attempt: number;
                        run_seq: number;
                        steps: {
                            total: number;
                            open: number;
                            completed: number;
                            failed: number;
                        };
                        credits: {
                            held: string;
                            consumed: string;
                            budget: string | null;
                        };
                        output: unknown;
                        error: {
                            code: string;
                            message: string;
                        } | null;
                        /** Format: date-time */
                        created_at: string;
                        queued_at: string | null;
                        started_at: string | null;
                        finished_at: string | null;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    forkRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description One key is one effect: a repeat within a day gets the first answer */
                "idempotency-key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    from_step?: number;
                    playbook?: {
                        name: string;
                        description?: string;
                        /** @default {} */
                        inputs?: {
                            [key: string]: {
                                /** @enum {string} */
                                type: "string" | "number" | "boolean" | "file";
                                description?: string;
                                default?: string | number | boolean;
                            };
                        };
                        steps: {
                            id: string;
                            name?: string;
                            tool: string;
                            /** @default [] */
                            needs?: string[];
                            /** @default {} */
                            with?: {
                                [key: string]: unknown;
                            };
                            /** @default [] */
                            artifacts?: string[];
                            /** @default true */
                            required?: boolean;
                            retry?: {
                                attempts: number;
                                /** @default 1 */
                                backoff_seconds?: number;
                            };
                        }[];
                    };
                    inputs?: {
                        [key: string]: string | number | boolean;
                    };
                    title?: string;
                    budget?: string;
                    approvals?: ("destructive" | "never") | string[];
                };
            };
        };
        responses: {
            /** @description Default Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: uuid */
                        id: string;
                        /** @enum {string} */
                        kind: "playbook" | "goal";
                        /** @enum {string} */
                        mode: "general" | "chat" | "research" | "wide_research" | "coding" | "data_analysis" | "writing" | "presentation" | "design" | "browser" | "automation" | "playbook";
                        title: string;
                        goal: string | null;
                        /** @enum {string} */
                        status: "pending" | "queued" | "planning" | "running" | "waiting_input" | "paused" | "completed" | "failed" | "cancelled" | "timed_out";
                        cancel_requested: boolean;
                        pause_reason: ("user" | "credits") | null;
                        parent_run_id: string | null;
                        /** Format: uuid */
                        root_run_id: string;
                        forked_from: string | null;
                        attempt: number;
                        run_seq: number;
                        steps: {
                            total: number;
                            open: number;
                            completed: number;
                            failed: number;
                        };
                        credits: {
                            held: string;
                            consumed: string;
                            budget: string | null;
                        };
                        output: unknown;
                        error: {
                            code: string;
                            message: string;
                        } | null;
                        /** Format: date-time */
                        created_at: string;
                        queued_at: string | null;
                        started_at: string | null;
                        finished_at: string | null;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    retryRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description One key is one effect: a repeat within a day gets the first answer */
                "idempotency-key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    from_step?: number;
                };
            };
        };
        responses: {
            /** @description Default Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: uuid */
                        id: string;
                        /** @enum {string} */
                        kind: "playbook" | "goal";
                        /** @enum {string} */
                        mode: "general" | "chat" | "research" | "wide_research" | "coding" | "data_analysis" | "writing" | "presentation" | "design" | "browser" | "automation" | "playbook";
                        title: string;
                        goal: string | null;
                        /** @enum {string} */
                        status: "pending" | "queued" | "planning" | "running" | "waiting_input" | "paused" | "completed" | "failed" | "cancelled" | "timed_out";
                        cancel_requested: boolean;
                        pause_reason: ("user" | "credits") | null;
                        parent_run_id: string | null;
                        /** Format: uuid */
                        root_run_id: string;
                        forked_from: string | null;
                        attempt: number;
                        run_seq: number;
                        steps: {
                            total: number;
                            open: number;
                            completed: number;
                            failed: number;
                        };
                        credits: {
                            held: string;
                            consumed: string;
                            budget: string | null;
                        };
                        output: unknown;
                        error: {
                            code: string;
                            message: string;
                        } | null;
                        /** Format: date-time */
                        created_at: string;
                        queued_at: string | null;
                        started_at: string | null;
                        finished_at: string | null;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    replayRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description One key is one effect: a repeat within a day gets the first answer */
                "idempotency-key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    playbook?: {
                        name: string;
                        description?: string;
                        /** @default {} */
                        inputs?: {
                            [key: string]: {
                                /** @enum {string} */
                                type: "string" | "number" | "boolean" | "file";
                                description?: string;
                                default?: string | number | boolean;
                            };
                        };
                        steps: {
                            id: string;
                            name?: string;
                            tool: string;
                            /** @default [] */
                            needs?: string[];
                            /** @default {} */
                            with?: {
                                [key: string]: unknown;
                            };
                            /** @default [] */
                            artifacts?: string[];
                            /** @default true */
                            required?: boolean;
                            retry?: {
                                attempts: number;
                                /** @default 1 */
                                backoff_seconds?: number;
                            };
                        }[];
                    };
                    inputs?: {
                        [key: string]: string | number | boolean;
                    };
                };
            };
        };
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: uuid */
                        run_id: string;
                        same: boolean;
                        first_difference: string | null;
                        steps: {
                            key: string;
                            index: number;
                            /** @enum {string} */
                            verdict: "recorded" | "differs" | "not_recorded" | "not_reached";
                            reason: string | null;
                            output: unknown;
                        }[];
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listQuestions: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: {
                            /** Format: uuid */
                            id: string;
                            /** Format: uuid */
                            run_id: string;
                            /** Format: uuid */
                            step_id: string;
                            /** @enum {string} */
                            kind: "question" | "approval";
                            prompt: string;
                            choices: string[] | null;
                            answer_schema: unknown;
                            tool: string | null;
                            tool_input: unknown;
                            default_answer: unknown;
                            /** @enum {string} */
                            status: "open" | "answered" | "timed_out" | "withdrawn";
                            answer: unknown;
                            /** Format: date-time */
                            expires_at: string;
                            answered_at: string | null;
                            /** Format: date-time */
                            created_at: string;
                        }[];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    answerQuestion: {
        parameters: {
            query?: never;
            header?: {
                /** @description One key is one effect: a repeat within a day gets the first answer */
                "idempotency-key"?: string;
            };
            path: {
                id: string;
                question_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    answer: unknown;
                };
            };
        };
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: uuid */
                        id: string;
                        /** Format: uuid */
                        run_id: string;
                        /** Format: uuid */
                        step_id: string;
                        /** @enum {string} */
                        kind: "question" | "approval";
                        prompt: string;
                        choices: string[] | null;
                        answer_schema: unknown;
                        tool: string | null;
                        tool_input: unknown;
                        default_answer: unknown;
                        /** @enum {string} */
                        status: "open" | "answered" | "timed_out" | "withdrawn";
                        answer: unknown;
                        /** Format: date-time */
                        expires_at: string;
                        answered_at: string | null;
                        /** Format: date-time */
                        created_at: string;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listRuns: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
                status?: string;
                mode?: string;
                kind?: "playbook" | "goal";
                created_after?: string;
                created_before?: string;
                parent_run_id?: string;
                root_run_id?: string;
                forked_from?: string;
                roots_only?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: {
                            /** Format: uuid */
                            id: string;
                            /** @enum {string} */
                            kind: "playbook" | "goal";
                            /** @enum {string} */
                            mode: "general" | "chat" | "research" | "wide_research" | "coding" | "data_analysis" | "writing" | "presentation" | "design" | "browser" | "automation" | "playbook";
                            title: string;
                            goal: string | null;
                            /** @enum {string} */
                            status: "pending" | "queued" | "planning" | "running" | "waiting_input" | "paused" | "completed" | "failed" | "cancelled" | "timed_out";
                            cancel_requested: boolean;
                            pause_reason: ("user" | "credits") | null;
                            parent_run_id: string | null;
                            /** Format: uuid */
                            root_run_id: string;
                            forked_from: string | null;
                            attempt: number;
                            run_seq: number;
                            steps: {
                                total: number;
                                open: number;
                                completed: number;
                                failed: number;
                            };
                            credits: {
                                held: string;
                                consumed: string;
                                budget: string | null;
                            };
                            output: unknown;
                            error: {
                                code: string;
                                message: string;
                            } | null;
                            /** Format: date-time */
                            created_at: string;
                            queued_at: string | null;
                            started_at: string | null;
                            finished_at: string | null;
                        }[];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description One key is one effect: a repeat within a day gets the first answer */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    playbook?: {
                        name: string;
                        description?: string;
                        /** @default {} */
                        inputs?: {
                            [key: string]: {
                                /** @enum {string} */
                                type: "string" | "number" | "boolean" | "file";
                                description?: string;
                                default?: string | number | boolean;
                            };
                        };
                        steps: {
                            id: string;
                            name?: string;
                            tool: string;
                            /** @default [] */
                            needs?: string[];
                            /** @default {} */
                            with?: {
                                [key: string]: unknown;
                            };
                            /** @default [] */
                            artifacts?: string[];
                            /** @default true */
                            required?: boolean;
                            retry?: {
                                attempts: number;
                                /** @default 1 */
                                backoff_seconds?: number;
                            };
                        }[];
                    };
                    goal?: string;
                    /** @enum {string} */
                    mode?: "general" | "chat" | "research" | "wide_research" | "coding" | "data_analysis" | "writing" | "presentation" | "design" | "browser" | "automation" | "playbook";
                    title?: string;
                    inputs?: {
                        [key: string]: string | number | boolean | {
                            filename: string;
                            /** Format: byte */
                            content_base64: string;
                        } | {
                            /** Format: uuid */
                            artifact_id: string;
                            filename?: string;
                        };
                    };
                    budget?: string;
                    /** @default destructive */
                    approvals?: ("destructive" | "never") | string[];
                };
            };
        };
        responses: {
            /** @description Default Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: uuid */
                        id: string;
                        /** @enum {string} */
                        kind: "playbook" | "goal";
                        /** @enum {string} */
                        mode: "general" | "chat" | "research" | "wide_research" | "coding" | "data_analysis" | "writing" | "presentation" | "design" | "browser" | "automation" | "playbook";
                        title: string;
                        goal: string | null;
                        /** @enum {string} */
                        status: "pending" | "queued" | "planning" | "running" | "waiting_input" | "paused" | "completed" | "failed" | "cancelled" | "timed_out";
                        cancel_requested: boolean;
                        pause_reason: ("user" | "credits") | null;
                        parent_run_id: string | null;
                        /** Format: uuid */
                        root_run_id: string;
                        forked_from: string | null;
                        attempt: number;
                        run_seq: number;
                        steps: {
                            total: number;
                            open: number;
                            completed: number;
                            failed: number;
                        };
                        credits: {
                            held: string;
                            consumed: string;
                            budget: string | null;
                        };
                        output: unknown;
                        error: {
                            code: string;
                            message: string;
                        } | null;
                        /** Format: date-time */
                        created_at: string;
                        queued_at: string | null;
                        started_at: string | null;
                        finished_at: string | null;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getRun: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: uuid */
                        id: string;
                        /** @enum {string} */
                        kind: "playbook" | "goal";
                        /** @enum {string} */
                        mode: "general" | "chat" | "research" | "wide_research" | "coding" | "data_analysis" | "writing" | "presentation" | "design" | "browser" | "automation" | "playbook";
                        title: string;
                        goal: string | null;
                        /** @enum {string} */
                        status: "pending" | "queued" | "planning" | "running" | "waiting_input" | "paused" | "completed" | "failed" | "cancelled" | "timed_out";
                        cancel_requested: boolean;
                        pause_reason: ("user" | "credits") | null;
                        parent_run_id: string | null;
                        /** Format: uuid */
                        root_run_id: string;
                        forked_from: string | null;
                        attempt: number;
                        run_seq: number;
                        steps: {
                            total: number;
                            open: number;
                            completed: number;
                            failed: number;
                        };
                        credits: {
                            held: string;
                            consumed: string;
                            budget: string | null;
                        };
                        output: unknown;
                        error: {
                            code: string;
                            message: string;
                        } | null;
                        /** Format: date-time */
                        created_at: string;
                        queued_at: string | null;
                        started_at: string | null;
                        finished_at: string | null;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listSteps: {
        parameters: {
            query?: {
                after?: number;
                limit?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: {
                            /** Format: uuid */
                            id: string;
                            key: string;
                            index: number;
                            name: string;
                            tool: string;
                            needs: string[];
                            required: boolean;
                            /** @enum {string} */
                            status: "pending" | "running" | "completed" | "failed" | "skipped" | "cancelled";
                            attempt: number;
                            input: unknown;
                            output: unknown;
                            usage: {
                                operation: string;
                                quantity: string;
                            }[];
                            cost: string;
                            duration_ms: number | null;
                            tries: {
                                code: string;
                                message: string;
                            }[];
                            error: {
                                code: string;
                                message: string;
                            } | null;
                            started_at: string | null;
                            finished_at: string | null;
                        }[];
                        next_after: number | null;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listMessages: {
        parameters: {
            query?: {
                after?: number;
                limit?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: {
                            /** Format: uuid */
                            id: string;
                            index: number;
                            role: string;
                            content: unknown;
                            step_id: string | null;
                            input_tokens: number | null;
                            output_tokens: number | null;
                            /** Format: date-time */
                            created_at: string;
                        }[];
                        next_after: number | null;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listArtifacts: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: {
                            /** Format: uuid */
                            id: string;
                            run_id: string | null;
                            step_id: string | null;
                            /** @enum {string} */
                            kind: "input" | "output" | "workspace" | "log" | "upload";
                            name: string;
                            media_type: string;
                            size_bytes: number;
                            sha256: string;
                            /** Format: date-time */
                            created_at: string;
                        }[];
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    followRun: {
        parameters: {
            query?: {
                after?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A stream of server-sent events */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getArtifact: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: uuid */
                        id: string;
                        run_id: string | null;
                        step_id: string | null;
                        /** @enum {string} */
                        kind: "input" | "output" | "workspace" | "log" | "upload";
                        name: string;
                        media_type: string;
                        size_bytes: number;
                        sha256: string;
                        /** Format: date-time */
                        created_at: string;
                        /** Format: uri */
                        url: string;
                        /** Format: date-time */
                        url_expires_at: string;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getArtifactContent: {
        parameters: {
            query: {
                expires: string;
                signature: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The content */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listUserArtifacts: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
                kind?: "input" | "output" | "workspace" | "log" | "upload";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: {
                            /** Format: uuid */
                            id: string;
                            run_id: string | null;
                            step_id: string | null;
                            /** @enum {string} */
                            kind: "input" | "output" | "workspace" | "log" | "upload";
                            name: string;
                            media_type: string;
                            size_bytes: number;
                            sha256: string;
                            /** Format: date-time */
                            created_at: string;
                        }[];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    uploadArtifact: {
        parameters: {
            query: {
                name: string;
                sha256: string;
                media_type?: string;
            };
            header?: {
                /** @description One key is one effect: a repeat within a day gets the first answer */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": string;
            };
        };
        responses: {
            /** @description Default Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: uuid */
                        id: string;
                        run_id: string | null;
                        step_id: string | null;
                        /** @enum {string} */
                        kind: "input" | "output" | "workspace" | "log" | "upload";
                        name: string;
                        media_type: string;
                        size_bytes: number;
                        sha256: string;
                        /** Format: date-time */
                        created_at: string;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listTools: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: {
                            name: string;
                            description: string;
                            available: boolean;
                            reason: string | null;
                            /** @enum {string} */
                            effect: "read" | "write" | "destructive";
                            /** @enum {string} */
                            resume: "repeat" | "lookup" | "unknown";
                            timeout_seconds: number;
                            charged_as: string[];
                            input_schema: {
                                [key: string]: unknown;
                            };
                        }[];
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getRunUsage: {
        parameters: {
            query?: {
                tree?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        from: string | null;
                        to: string | null;
                        run_id: string | null;
                        runs: number;
                        steps: number;
                        credits: string;
                        models: {
                            model: string;
                            calls: number;
                            input_tokens: number;
                            cache_read_tokens: number;
                            cache_write_tokens: number;
                            output_tokens: number;
                            credits: string;
                        }[];
                        tools: {
                            tool: string;
                            steps: number;
                            failed: number;
                            duration_ms: number;
                            credits: string;
                        }[];
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getUsage: {
        parameters: {
            query?: {
                from?: string;
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        from: string | null;
                        to: string | null;
                        run_id: string | null;
                        runs: number;
                        steps: number;
                        credits: string;
                        models: {
                            model: string;
                            calls: number;
                            input_tokens: number;
                            cache_read_tokens: number;
                            cache_write_tokens: number;
                            output_tokens: number;
                            credits: string;
                        }[];
                        tools: {
                            tool: string;
                            steps: number;
                            failed: number;
                            duration_ms: number;
                            credits: string;
                        }[];
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listMemory: {
        parameters: {
            query?: {
                limit?: number;
                cursor?: string;
                namespace?: string;
                query?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: {
                            /** Format: uuid */
                            id: string;
                            namespace: string;
                            key: string;
                            content: string;
                            metadata: {
                                [key: string]: unknown;
                            };
                            run_id: string | null;
                            /** Format: date-time */
                            created_at: string;
                            /** Format: date-time */
                            updated_at: string;
                        }[];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    saveMemory: {
        parameters: {
            query?: never;
            header?: {
                /** @description One key is one effect: a repeat within a day gets the first answer */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @default default */
                    namespace?: string;
                    key: string;
                    content: string;
                    /** @default {} */
                    metadata?: {
                        [key: string]: unknown;
                    };
                };
            };
        };
        responses: {
            /** @description Default Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: uuid */
                        id: string;
                        namespace: string;
                        key: string;
                        content: string;
                        metadata: {
                            [key: string]: unknown;
                        };
                        run_id: string | null;
                        /** Format: date-time */
                        created_at: string;
                        /** Format: date-time */
                        updated_at: string;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteMemory: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteMe: {
        parameters: {
            query?: never;
            header?: {
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @enum {string} */
                    confirm: "delete everything";
                };
            };
        };
        responses: {
            /** @description Default Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: uuid */
                        id: string;
                        /** @enum {string} */
                        status: "under_way" | "done";
                        /** @enum {string} */
                        stage: "runs" | "files" | "rows" | "rest" | "done";
                        runs_cancelled: number;
                        runs_deleted: number;
                        files_deleted: number;
                        /** Format: date-time */
                        requested_at: string;
                        finished_at: string | null;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getDeletion: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: uuid */
                        id: string;
                        /** @enum {string} */
                        status: "under_way" | "done";
                        /** @enum {string} */
                        stage: "runs" | "files" | "rows" | "rest" | "done";
                        runs_cancelled: number;
                        runs_deleted: number;
                        files_deleted: number;
                        /** Format: date-time */
                        requested_at: string;
                        finished_at: string | null;
                    };
                };
            };
            /** @description Why it could not be done */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
