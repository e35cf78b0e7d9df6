/* Made by abi/layout.py from bplugin.h: do not edit. CALL_*: `Call` of filed/process/status_page.py; PAGE_*: its page. */
#ifndef ABI_NUMBERS_H
#define ABI_NUMBERS_H
#define CALL_CREATE         3
#define CALL_OPTION         4
#define CALL_READY          5
#define CALL_EXTENSION      6
#define CALL_BEGIN          7
#define CALL_NEXT_ENTRIES   8
#define CALL_FETCH          9
#define CALL_OPEN_STREAM    10
#define CALL_READ           11
#define CALL_CLOSE_STREAM   12
#define CALL_RESTORE_ENTRY  13
#define CALL_RESTORE_STREAM 14
#define CALL_WRITE          15
#define CALL_RESTORE_DONE   16
#define CALL_COMMIT         17
#define CALL_CANCEL         18
#define CALL_END            19
#define CALL_CONFIRMED      20
#define CALL_DESTROY        21
#define CALL_PREPARE        22
#define CALL_RELEASE        23
#define CALL_PLAN           24
#define PAGE_CANCEL         0
#define PAGE_CALL           2
#define PAGE_PROGRESS       3
#define PAGE_ENTRY_LENGTH   32
#define PAGE_ENTRY_TEXT     132
#define PAGE_ENTRY_MAX      1020
#endif
