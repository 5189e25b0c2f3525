// Made by npm run client:generate; changes are lost.

export interface paths {
    "/v1/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List sessions */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    cursor?: string;
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
                                title: string;
                                /** @enum {string} */
                                status: "active" | "closed";
                                /** Format: uuid */
                                owner_id: string;
                                /** @enum {string} */
                                role: "owner" | "editor" | "viewer";
                                run_id: string | null;
                                source_artifact_id: string | null;
                                last_seq: number;
                                document_bytes: number;
                                closed_at: string | null;
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
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a session */
        get: {
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
                            title: string;
                            /** @enum {string} */
                            status: "active" | "closed";
                            /** Format: uuid */
                            owner_id: string;
                            /** @enum {string} */
                            role: "owner" | "editor" | "viewer";
                            run_id: string | null;
                            source_artifact_id: string | null;
                            last_seq: number;
                            document_bytes: number;
                            closed_at: string | null;
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
export type operations = Record<string, never>;
